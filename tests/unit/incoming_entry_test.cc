// SPDX-License-Identifier: MIT
#include "zrecv/incoming_entry.h"

#include <stdlib.h>
#include <sys/resource.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/stop.h"
#include "tests/unit/temp_dir.h"
#include "zrecv/file_destination.h"
#include "zrecv/open_entries.h"

namespace zx {
namespace {

namespace fs = std::filesystem;

class Fixture : public TempDir {
 public:
  Fixture() {
    agreed.block_bytes = 1 << 20;
    destination = std::make_unique<FileDestination>(path_.string(), Terms{}, false);
  }
  OpenEntries::Entry entry(uint64_t id, uint64_t size, bool sparse = false) {
    EntryInfo info;
    info.sparse = sparse;
    info.name = {"f" + std::to_string(id)};
    info.size = size;
    auto sink = destination->sink_for(info, event);
    REQUIRE(sink->look(agreed).empty());
    return std::make_shared<IncomingEntry>(id, info, std::move(sink), agreed, BlockOrder::InTurn);
  }
  size_t files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(path_), {}));
  }

  Negotiated agreed;
  std::unique_ptr<FileDestination> destination;
  WakeFd event;
};

FrameHeader data(uint64_t id, uint64_t offset, uint32_t length) {
  return {FrameType::Data, 0, length, id, offset};
}

EntryEnd end_of(const Digest& sum) {
  EntryEnd end;
  end.block_sum = sum;
  return end;
}

Digest sum_of(uint64_t offset, uint64_t length, const Digest& digest) {
  DigestSum sum;
  sum.add(block_part(offset, length, digest));
  return sum.value();
}

TEST_CASE("IncomingEntry: a hole that was interrupted counts once") {
  Fixture t;
  t.agreed.file_digest = true;
  const uint64_t size = uint64_t{4} << 30;  // takes long enough to be interrupted
  const auto entry = t.entry(1, size);
  const uint64_t begun = 4096;  // by then there is a file
  entry->hole(0, size);
  entry->zero(0, begun);
  std::atomic<bool> lost{false};
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    lost = true;
  });
  try {
    const CancelScope scope(lost);
    entry->zero(begun, size - begun);
  } catch (const Cancelled&) {
    entry->zero(begun, size - begun);
  }
  later.join();
  Hasher flat;
  flat.update_zeros(size);
  EntryEnd end = end_of(DigestSum().value());
  end.has_file_digest = true;
  end.file_digest = flat.value();
  entry->end(size, end);
  PageBuffer buffer(4096);
  entry->conclude(buffer);
  CHECK((entry->take().outcome.status == ExitStatus::Ok));
}

TEST_CASE("IncomingEntry: nobody has to hash zeros for ever") {
  Fixture t;
  t.agreed.file_digest = true;
  const uint64_t size = kMostHashedZeros + 1;
  const auto entry = t.entry(1, size, true);
  entry->hole(0, size);
  entry->zero(0, size);
  entry->end(size, end_of(DigestSum().value()));
  PageBuffer buffer(4096);
  entry->conclude(buffer);
  const Verified verified = entry->take();
  CHECK((verified.outcome.status == ExitStatus::Ok));
  CHECK_FALSE(verified.outcome.digest);
}

TEST_CASE("IncomingEntry: a size that no file can have is found before its content comes") {
  Fixture t;
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit limited{1 << 20, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_FSIZE, &limited) == 0);
  const auto entry = t.entry(1, kMaxFileBytes, true);
  entry->hole(0, kMaxFileBytes);
  entry->zero(0, kMaxFileBytes);
  (void)setrlimit(RLIMIT_FSIZE, &before);
  (void)std::signal(SIGXFSZ, old);
  REQUIRE(entry->ready());
  PageBuffer buffer(4096);
  entry->conclude(buffer);
  CHECK((entry->take().outcome.status == ExitStatus::Refused));
}

TEST_CASE("IncomingEntry: an empty file is made only when it is concluded") {
  Fixture t;
  const auto entry = t.entry(1, 0);
  CHECK(t.files() == 0);
  CHECK_FALSE(entry->ready());
  entry->end(0, end_of(DigestSum().value()));
  REQUIRE(entry->ready());
  CHECK(t.files() == 0);
  PageBuffer buffer(4096);
  entry->conclude(buffer);
  CHECK(t.files() == 1);
  const Verified verified = entry->take();
  CHECK((verified.outcome.status == ExitStatus::Ok));
  CHECK(verified.sink != nullptr);
}

TEST_CASE("IncomingEntry: the END of a small one may come before its content") {
  Fixture t;
  const auto entry = t.entry(1, 5);
  const auto bytes = as_bytes("hello");
  const Digest digest = digest_of(bytes);
  entry->end(5, end_of(sum_of(0, 5, digest)));
  CHECK_FALSE(entry->ready());
  REQUIRE(entry->claim(data(1, 0, 5), 0));
  // The lane is lost, and the block comes over another one.
  entry->release(0);
  auto again = data(1, 0, 5);
  again.flags = attempt_flags(1);
  REQUIRE(entry->claim(again, 1)->kind == Arrived::Claim::Take);
  entry->settle(again, 1, digest, {5, digest});
  CHECK(entry->ready());
  PageBuffer buffer(4096);
  entry->conclude(buffer);
  CHECK_FALSE(entry->claim(again, 0));  // nobody wants it any more
  CHECK(entry->take().outcome.bytes == 5);
}

TEST_CASE("IncomingEntry: a wrong sum, or a failure of the sender, is its outcome") {
  Fixture t;
  const auto wrong = t.entry(1, 0);
  wrong->end(0, end_of(digest_of(as_bytes("x"))));
  PageBuffer buffer(4096);
  wrong->conclude(buffer);
  CHECK((wrong->take().outcome.status == ExitStatus::Integrity));
  const auto failed = t.entry(2, 100);
  EntryEnd end;
  end.failure = ExitStatus::FileIo;
  end.reason = "cannot be read";
  failed->end(0, end);
  CHECK(failed->ready());
  failed->conclude(buffer);
  const Verified verified = failed->take();
  CHECK((verified.outcome.status == ExitStatus::FileIo));
  CHECK(verified.sink == nullptr);
  CHECK(t.files() == 0);
}

TEST_CASE("IncomingEntry: END of a large one before its blocks breaks the protocol") {
  Fixture t;
  const auto entry = t.entry(1, 3 << 20);
  CHECK_THROWS_WITH(entry->end(3 << 20, end_of({})), Catch::Contains("before all blocks"));
}

TEST_CASE("OpenEntries: what is done is forgotten, what was never announced is not") {
  Fixture t;
  WakeFd event;
  OpenEntries entries(event);
  CHECK_THROWS_WITH(entries.find(data(1, 0, 1)), "peer sent DATA for an entry that is not open");
  CHECK_FALSE(entries.is_announced(data(1, 0, 1)));
  const auto first = t.entry(1, 0);
  entries.announce(first);
  entries.announce(nullptr);
  CHECK(entries.last_id() == 2);
  CHECK(entries.find(data(1, 0, 1)) == first);
  CHECK(entries.find(data(2, 0, 1)) == nullptr);
  CHECK(entries.size() == 1);
  CHECK_FALSE(entries.all_have_end());
  CHECK(entries.next_ready() == nullptr);
  first->fail(ExitStatus::NoSpace, "full");
  CHECK_FALSE(entries.settled(first, false));
  CHECK_FALSE(entries.settled(first, false));
  CHECK(entries.next_ready() == first);
  entries.remove(first);
  CHECK(entries.next_ready() == nullptr);
  CHECK(entries.find(data(1, 0, 1)) == nullptr);
}

TEST_CASE("OpenEntries: of damaged small ones so many may be open, of large ones not one more") {
  Fixture t;
  WakeFd event;
  OpenEntries entries(event);
  for (uint64_t id = 1; id <= kMaxOpenFiles; ++id) {
    const auto entry = t.entry(id, 10);
    entries.announce(entry);
    CHECK(entries.settled(entry, /*damaged=*/true));
  }
  const auto small = t.entry(kMaxOpenFiles + 1, 10);
  entries.announce(small);
  CHECK_FALSE(entries.settled(small, true));
  CHECK(small->ready());
  const auto large = t.entry(kMaxOpenFiles + 2, 3 << 20);
  entries.announce(large);
  CHECK_THROWS_WITH(entries.settled(large, false), Catch::Contains("at a time"));
}

}  // namespace
}  // namespace zx
