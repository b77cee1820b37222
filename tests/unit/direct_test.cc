// SPDX-License-Identifier: MIT
// What is particular to the engines that are not sendfile, splice into a file, or a plain buffer:
// cut mappings, read-ahead, requests in flight, fallbacks.
#include <sys/resource.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <deque>
#include <thread>

#include "common/engine/async_io.h"
#include "common/engine/direct_receiver.h"
#include "common/engine/direct_sender.h"
#include "tests/unit/engine_fixture.h"

namespace zx {
namespace {

constexpr uint32_t kMiB = 1 << 20;

std::unique_ptr<AsyncIo> few_slots(bool threads) {
  return threads ? make_thread_io(3, 64 << 10, "by threads") : make_async_io(3, 64 << 10);
}

// --- AsyncIo

TEST_CASE("AsyncIo: what is written is read back, several at a time, in both forms") {
  const Buffer data = pattern(3 * (64 << 10));
  for (bool threads : {false, true}) {
    INFO((threads ? "threads" : "io_uring"));
    const Scratch file;
    const auto io = few_slots(threads);
    REQUIRE(io->slots() == 3);
    for (size_t i = 0; i < 3; ++i) {
      std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(i * io->slot_bytes()),
                  io->slot_bytes(), io->slot(i).begin());
      io->write(i, file.fd(), i * io->slot_bytes(), io->slot_bytes());
    }
    CHECK(io->in_flight() == 3);
    for (int i = 0; i < 3; ++i) CHECK(io->wait().result == 64 << 10);
    CHECK(io->in_flight() == 0);
    CHECK((file.content() == data));
    for (size_t i = 0; i < 3; ++i) io->read(i, file.fd(), (2 - i) * io->slot_bytes(), 1000);
    for (int i = 0; i < 3; ++i) {
      const AsyncIo::Done done = io->wait();
      CHECK(done.result == 1000);
      CHECK(std::equal(io->slot(done.slot).begin(), io->slot(done.slot).begin() + 1000,
                       data.begin() + static_cast<std::ptrdiff_t>((2 - done.slot) * (64 << 10))));
    }
  }
}

TEST_CASE("AsyncIo: errors and the end of a file are results") {
  for (bool threads : {false, true}) {
    const Scratch file(pattern(100));
    const auto io = few_slots(threads);
    io->read(0, file.fd(), 60, 4096);
    CHECK(io->wait().result == 40);
    io->read(0, file.fd(), 100, 4096);
    CHECK(io->wait().result == 0);
    io->read(1, -1, 0, 4096);
    CHECK(io->wait().result == -EBADF);
    const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
    io->write(2, full.get(), 0, 4096);
    const AsyncIo::Done done = io->wait();
    CHECK(done.result == -ENOSPC);
    CHECK(done.slot == 2);
  }
}

TEST_CASE("AsyncIo: destroyed and drained with requests in flight") {
  const Scratch file(pattern(1 << 20));
  for (bool threads : {false, true}) {
    const auto io = few_slots(threads);
    for (size_t i = 0; i < 3; ++i) io->read(i, file.fd(), 0, io->slot_bytes());
    io->drain();
    CHECK(io->in_flight() == 0);
    for (size_t i = 0; i < 3; ++i) io->read(i, file.fd(), 0, io->slot_bytes());
  }
}

// --- mmap

TEST_CASE("MmapSender: a source that is cut while it is sent is padded, not a SIGBUS") {
  const Buffer data = pattern(8 * kMiB);
  for (bool hidden : {false, true}) {
    INFO((hidden ? "without a descriptor" : "with a descriptor"));
    const Scratch scratch(data);
    const Connection c = connect_here();
    const SourceFile file(scratch.path());
    HiddenChannel hiding(*c.sender);
    Channel& channel = hidden ? hiding : *c.sender;
    const auto sender = make_block_sender(channel, {Engine::Mmap, ""});
    Buffer received(data.size());
    // Cut when the first bytes have been sent: the mapping has more than the file then.
    bool cut = false;
    auto receiving = std::async(std::launch::async, [&] { c.receiver->recv_exact(received); });
    const SentBlock block = sender->send(file, 0, 8 * kMiB, {}, nullptr, [&](uint64_t) {
      if (!cut) REQUIRE(truncate(scratch.path().c_str(), 10000) == 0);
      cut = true;
    });
    channel.finish_sending();
    receiving.get();
    CHECK(cut);
    CHECK(block.length == 10000);
    CHECK(block.read_error == 0);
    CHECK(hex(block.digest) == hex(digest_of(std::span(data).first(10000))));
    CHECK(std::equal(data.begin(), data.begin() + 10000, received.begin()));
    CHECK(sender->engine() == Engine::Mmap);
  }
}

TEST_CASE("MmapSender: a source that cannot be mapped goes through a buffer, with the reason") {
  const Connection c = connect_here();
  const SourceFile file("/proc/self/mem");
  const auto sender = make_block_sender(*c.sender, {Engine::Mmap, ""});
  CHECK(sender->send(file, 0, 4096, {}, nullptr, [](uint64_t) {}).read_error == EIO);
  CHECK(sender->engine() == Engine::ReadWrite);
  CHECK_THAT(sender->why(), Catch::Contains("mmap does not work on this source"));
}

// --- direct reading

struct Blocks {
  std::vector<SentBlock> sent;
  Buffer received;
};

// Sends blocks of `step` over a DirectSender with few, small slots; between(i) runs before block i.
template <typename F>
Blocks send_direct(const SourceFile& file, uint32_t step, bool threads, F&& between) {
  const Connection c = connect_here();
  DirectSender sender(*c.sender, "", few_slots(threads));
  Blocks out;
  const auto count = static_cast<uint32_t>((file.size() + step - 1) / step);
  out.received.resize(file.size());
  auto receiving = std::async(std::launch::async, [&] { c.receiver->recv_exact(out.received); });
  for (uint32_t i = 0; i < count; ++i) {
    between(i);
    const auto length =
        static_cast<uint32_t>(std::min<uint64_t>(step, file.size() - uint64_t{i} * step));
    out.sent.push_back(sender.send(file, uint64_t{i} * step, length, {}, nullptr, [](uint64_t) {}));
  }
  c.sender->finish_sending();
  receiving.get();
  return out;
}

TEST_CASE("DirectSender: blocks of any size follow each other, read ahead or not") {
  const Buffer data = pattern(1000003);
  const Scratch scratch(data);
  for (bool threads : {false, true})
    for (uint32_t step : {4096U, 5000U, 64U << 10, (64U << 10) + 1, 300000U, 2000000U}) {
      INFO("step " << step << (threads ? " threads" : " io_uring"));
      const SourceFile file(scratch.path());
      const Blocks blocks = send_direct(file, step, threads, [](uint32_t) {});
      CHECK((blocks.received == data));
      for (size_t i = 0; i < blocks.sent.size(); ++i) {
        const auto part = std::span(data).subspan(i * step, blocks.sent[i].length);
        CHECK(hex(blocks.sent[i].digest) == hex(digest_of(part)));
      }
    }
}

TEST_CASE("DirectSender: digest and bytes belong together while the file changes") {
  Buffer data = pattern(2 * kMiB);
  const Scratch scratch(data);
  const SourceFile file(scratch.path());
  const Buffer other = pattern(2 * kMiB - 4096);
  const Blocks blocks = send_direct(file, 300000, false, [&](uint32_t i) {
    if (i == 2) REQUIRE(pwrite_full(scratch.fd(), other, 4096) == 0);
  });
  for (size_t i = 0; i < blocks.sent.size(); ++i) {
    const auto part = std::span(blocks.received).subspan(i * 300000, blocks.sent[i].length);
    CHECK(hex(blocks.sent[i].digest) == hex(digest_of(part)));
  }
  CHECK((blocks.received != data));
}

TEST_CASE(
    "DirectSender: a source that is cut ends where it ends now, but for what was read ahead") {
  const Buffer data = pattern(4 * kMiB);
  const Scratch scratch(data);
  const SourceFile file(scratch.path());
  const Blocks blocks = send_direct(file, kMiB, false, [&](uint32_t i) {
    if (i == 1) REQUIRE(truncate(scratch.path().c_str(), 2 * kMiB + 777) == 0);
  });
  REQUIRE(blocks.sent.size() == 4);
  CHECK(blocks.sent[0].length == kMiB);
  CHECK(blocks.sent[1].length == kMiB);
  CHECK(blocks.sent[2].length == 777);
  CHECK(blocks.sent[2].read_error == 0);
  CHECK(hex(blocks.sent[2].digest) == hex(digest_of(std::span(data).subspan(2 * kMiB, 777))));
  CHECK(blocks.sent[3].length == 0);
  CHECK((Buffer(blocks.received.begin() + 2 * kMiB + 777, blocks.received.end()) ==
         Buffer(2 * kMiB - 777)));
}

TEST_CASE("DirectSender: of another file nothing that was read ahead is left") {
  const Buffer first = pattern(2 * kMiB), second(2 * kMiB, std::byte{7});
  const Scratch a(first), b(second);
  const Connection c = connect_here();
  DirectSender sender(*c.sender, "", few_slots(false));
  Buffer received(200000);
  auto receiving = std::async(std::launch::async, [&] { c.receiver->recv_exact(received); });
  auto one = std::make_unique<SourceFile>(a.path());
  sender.send(*one, 0, 100000, {}, nullptr, [](uint64_t) {});
  one.reset();  // its descriptor number is free for the next
  const SourceFile two(b.path());
  sender.send(two, 100000, 100000, {}, nullptr, [](uint64_t) {});
  c.sender->finish_sending();
  receiving.get();
  CHECK((Buffer(received.begin() + 100000, received.end()) == Buffer(100000, std::byte{7})));
}

TEST_CASE("DirectSender: a source that refuses O_DIRECT goes through a buffer, with the reason") {
  const Connection c = connect_here();
  const SourceFile file("/proc/self/mem");
  DirectSender sender(*c.sender, "", few_slots(false));
  CHECK(sender.send(file, 0, 4096, {}, nullptr, [](uint64_t) {}).read_error == EIO);
  CHECK(sender.engine() == Engine::ReadWrite);
  CHECK_THAT(sender.why(), Catch::Contains("direct reading does not work on this source"));
}

TEST_CASE("direct engines: by threads they say so") {
  const Connection c = connect_here();
  CHECK(DirectSender(*c.sender, "asked", few_slots(true)).why() == "asked, by threads");
  CHECK(DirectReceiver(*c.receiver, "asked", few_slots(true)).why() == "asked, by threads");
}

// Counts what is asked of the disk.
class CountingDisk final : public AsyncIo {
 public:
  explicit CountingDisk(uint64_t* bytes) : AsyncIo(4, 64 << 10, ""), bytes_(*bytes) {}

 private:
  void start(const Request& request) override {
    bytes_ += request.bytes;
    started_.push_back(request);
  }
  Done finish(Signals) override {
    const Request r = started_.front();
    started_.pop_front();
    return {r.slot, static_cast<int>(
                        pread(r.fd, slot(r.slot).data(), r.bytes, static_cast<off_t>(r.offset)))};
  }
  uint64_t& bytes_;
  std::deque<Request> started_;
};

TEST_CASE("DirectSender: after a jump nothing is read that another stream sends") {
  constexpr uint32_t kBlock = 256 << 10;
  const Buffer data = pattern(16 * kBlock);
  const Scratch scratch(data);
  const SourceFile file(scratch.path());
  if (open_direct(file.fd(), DirectAccess::Read).error != 0) return;  // nothing to count here
  for (const uint32_t step : {1U, 2U}) {
    const Connection c = connect_here();
    uint64_t bytes = 0;
    DirectSender sender(*c.sender, "", std::make_unique<CountingDisk>(&bytes));
    uint32_t blocks = 0;
    for (uint64_t at = 0; at < data.size(); at += step * kBlock, ++blocks) {
      auto receiving = std::async(std::launch::async, [&] {
        Buffer got(kBlock + 1);
        c.receiver->recv_exact(got);
        return got;
      });
      const SentBlock sent = sender.send(file, at, kBlock, {}, nullptr, [](uint64_t) {});
      c.sender->send(bytes_of("."), More::No);  // an engine leaves the last bytes to a message
      CHECK(sent.length == kBlock);
      const Buffer got = receiving.get();
      CHECK(std::equal(got.begin(), got.end() - 1, data.begin() + static_cast<std::ptrdiff_t>(at)));
    }
    // Once, before the first jump, it has read ahead in vain: all slots but the last one it used.
    const uint64_t in_vain = step == 1 ? 0 : 3 * (64 << 10);
    CHECK(bytes == uint64_t{blocks} * kBlock + in_vain);
  }
}

// --- direct writing

TEST_CASE("DirectReceiver: blocks of any size at any place, over few slots") {
  for (bool threads : {false, true})
    for (uint32_t step : {1U, 4095U, 5000U, 65537U, 300000U}) {
      INFO("step " << step << (threads ? " threads" : " io_uring"));
      const Buffer data = pattern(step == 1 ? 5000 : 1000003);
      const Scratch file;
      const Connection c = connect_here();
      DirectReceiver receiver(*c.receiver, "", few_slots(threads));
      auto sending = std::async(std::launch::async, [&] { c.sender->send(data, More::No); });
      for (uint64_t at = 0; at < data.size(); at += step) {
        const auto length = static_cast<uint32_t>(std::min<uint64_t>(step, data.size() - at));
        CHECK(receiver.receive(file.fd(), at, length, [](uint64_t, auto) {}) == 0);
      }
      sending.get();
      CHECK((file.content() == data));
    }
}

// A disk that takes its time for each request.
class SlowDisk final : public AsyncIo {
 public:
  explicit SlowDisk(std::chrono::milliseconds each) : AsyncIo(2, 64 << 10, ""), each_(each) {}

 private:
  void start(const Request& request) override { started_.push_back(request); }
  Done finish(Signals) override {
    std::this_thread::sleep_for(each_);
    const Request r = started_.front();
    started_.pop_front();
    return {r.slot, static_cast<int>(
                        pwrite(r.fd, slot(r.slot).data(), r.bytes, static_cast<off_t>(r.offset)))};
  }
  const std::chrono::milliseconds each_;
  std::deque<Request> started_;
};

TEST_CASE("DirectReceiver: says when it waits for the disk most of the time") {
  struct {
    std::chrono::milliseconds disk, network;
    bool behind;
  } const rows[] = {
      {std::chrono::milliseconds(80), std::chrono::milliseconds(0), true},
      {std::chrono::milliseconds(0), std::chrono::milliseconds(80), false},
      {std::chrono::milliseconds(10), std::chrono::milliseconds(0), false},  // too short to tell
  };
  constexpr uint32_t kRequests = 15;
  for (const auto& row : rows) {
    INFO("disk " << row.disk.count() << " ms, network " << row.network.count() << " ms");
    const Buffer data = pattern(kRequests * (64 << 10));
    const Scratch file;
    const Connection c = connect_here();
    DirectReceiver receiver(*c.receiver, "", std::make_unique<SlowDisk>(row.disk));
    CHECK_FALSE(receiver.disk_is_behind());
    auto sending = std::async(std::launch::async, [&] {
      for (uint32_t i = 0; i < kRequests; ++i) {
        std::this_thread::sleep_for(row.network);
        c.sender->send(std::span(data).subspan(i * (64 << 10), 64 << 10), More::No);
      }
    });
    CHECK(receiver.receive(file.fd(), 0, kRequests * (64 << 10), [](uint64_t, auto) {}) == 0);
    sending.get();
    CHECK(receiver.disk_is_behind() == row.behind);
    CHECK((file.content() == data));
  }
}

TEST_CASE("DirectReceiver: what else is in the file stays as it was") {
  Buffer expected = pattern(300000);
  const Scratch file(expected);
  const Connection c = connect_here();
  DirectReceiver receiver(*c.receiver, "", few_slots(false));
  const Buffer data(100001, std::byte{9});
  auto sending = std::async(std::launch::async, [&] { c.sender->send(data, More::No); });
  CHECK(receiver.receive(file.fd(), 50001, 100001, [](uint64_t, auto) {}) == 0);
  sending.get();
  std::copy(data.begin(), data.end(), expected.begin() + 50001);
  CHECK((file.content() == expected));
}

TEST_CASE("DirectReceiver: a write that fails is returned and the frames stay in step") {
  struct rlimit before {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old = std::signal(SIGXFSZ, SIG_IGN);  // as both programs have it
  for (bool threads : {false, true}) {
    INFO((threads ? "threads" : "io_uring"));
    const Scratch file;
    const Connection c = connect_here();
    DirectReceiver receiver(*c.receiver, "", few_slots(threads));
    const Buffer data = pattern(3 * kMiB), next = pattern(10);
    auto sending = std::async(std::launch::async, [&] {
      c.sender->send(data, More::Yes);
      c.sender->send(next, More::No);
    });
    struct rlimit limit = before;
    limit.rlim_cur = kMiB;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    const int error = receiver.receive(file.fd(), 0, 3 * kMiB, [](uint64_t, auto) {});
    REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
    CHECK(error == EFBIG);
    Buffer after(10);
    c.receiver->recv_exact(after);
    CHECK((after == next));
    sending.get();
    CHECK(receiver.engine() == expected_engine(Engine::Direct, file.fd()));
  }
  std::signal(SIGXFSZ, old);
}

TEST_CASE(
    "DirectReceiver: a stream that ends inside a block is an error; the next block is whole") {
  const Buffer data = pattern(kMiB);
  for (bool threads : {false, true}) {
    const Scratch file, other;
    const Connection c = connect_here();
    HiddenChannel in(*c.receiver);
    DirectReceiver receiver(in, "", few_slots(threads));
    in.fail_after = 500000;
    auto sending = std::async(std::launch::async, [&] {
      c.sender->send(std::span(data).first(500000), More::Yes);
      c.sender->send(data, More::No);
    });
    CHECK_THROWS_AS(receiver.receive(file.fd(), 0, kMiB, [](uint64_t, auto) {}), Error);
    in.fail_after = SIZE_MAX;
    CHECK(receiver.receive(other.fd(), 0, kMiB, [](uint64_t, auto) {}) == 0);
    sending.get();
    CHECK((other.content() == data));
  }
}

TEST_CASE("DirectReceiver: a destination that refuses O_DIRECT goes through a buffer") {
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  const Connection c = connect_here();
  DirectReceiver receiver(*c.receiver, "", few_slots(false));
  const Buffer data = pattern(10000);
  c.sender->send(data, More::No);
  CHECK(receiver.receive(null.get(), 0, 10000, [](uint64_t, auto) {}) == 0);
  CHECK(receiver.engine() == Engine::ReadWrite);
  CHECK_THAT(receiver.why(), Catch::Contains("direct writing does not work on this destination"));
}

// --- over a channel that does not show its descriptor

TEST_CASE("engines: mmap, readwrite and direct work over any channel") {
  const Buffer data = pattern(kMiB + 4097);
  const auto length = static_cast<uint32_t>(data.size());
  for (Engine engine : {Engine::Mmap, Engine::ReadWrite, Engine::Direct}) {
    INFO(engine_name(engine));
    const Scratch source(data), target;
    const Connection c = connect_here();
    HiddenChannel out(*c.sender), in(*c.receiver);
    auto sending = std::async(std::launch::async, [&] {
      const SourceFile file(source.path());
      const auto sender = make_block_sender(out, {engine, ""});
      const SentBlock block = sender->send(file, 0, length, {}, nullptr, [](uint64_t) {});
      out.finish_sending();
      CHECK(sender->engine() == expected_engine(engine, file.fd()));
      return block;
    });
    const Engine taker = engine == Engine::Direct ? Engine::Direct : Engine::ReadWrite;
    const auto receiver = make_block_receiver(in, {taker, ""}, {});
    CHECK(receiver->receive(target.fd(), 0, length, [](uint64_t, auto) {}) == 0);
    CHECK(hex(sending.get().digest) == hex(digest_of(data)));
    CHECK((target.content() == data));
  }
}

}  // namespace
}  // namespace zx
