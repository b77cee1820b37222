// SPDX-License-Identifier: MIT
#include "common/file/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "common/base/error.h"
#include "common/wire/codec.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

UniqueFd open_file(const std::string& path, int flags = 0) {
  return UniqueFd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600));
}

JournalHead some_head() {
  JournalHead head;
  head.run[0] = std::byte{7};
  head.boot[15] = std::byte{9};
  head.device = 3;
  head.inode = uint64_t{1} << 40;
  head.size = 200 << 20;
  head.token[3] = std::byte{1};
  head.name = "a name\nof two lines";
  return head;
}

std::vector<KeptRange> some_ranges(size_t count) {
  std::vector<KeptRange> out;
  for (uint64_t i = 0; i < count; ++i)
    out.push_back({i << 24, 1 << 24, i % 5 == 4, digest_of(as_bytes(std::to_string(i)))});
  return out;
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void set_contents(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

std::optional<Journal> read_back(const std::string& path) {
  return read_journal(open_file(path).get(), path);
}

// What was written and no more, in its order, up to some record.
bool is_begin_of(const Journal& read, const std::vector<KeptRange>& written) {
  return read.head == some_head() && read.ranges.size() <= written.size() &&
         std::equal(read.ranges.begin(), read.ranges.end(), written.begin());
}

TEST_CASE("Journal: what was added is read again") {
  const TempDir dir;
  const auto ranges = some_ranges(100);
  {
    JournalWriter writer(open_file(dir.at("j")), some_head(), "journal");
    for (const KeptRange& range : ranges) writer.add(range);
    writer.sync();
  }
  const auto read = read_back(dir.at("j"));
  REQUIRE(read);
  CHECK(read->head == some_head());
  CHECK(read->ranges == ranges);
  CHECK(read->records == 100);
  CHECK(!read->stopped);
}

TEST_CASE("Journal: an end in order counts only as the last record") {
  const TempDir dir;
  const Digest state = digest_of(as_bytes("state"));
  JournalWriter writer(open_file(dir.at("j")), some_head(), "journal");
  writer.add(some_ranges(1)[0]);
  writer.stop(state);
  CHECK(read_back(dir.at("j"))->stopped == state);
  writer.add(some_ranges(2)[1]);
  CHECK(!read_back(dir.at("j"))->stopped);
  CHECK(read_back(dir.at("j"))->ranges == some_ranges(2));
}

TEST_CASE("Journal: cut anywhere, what is left is a begin of it") {
  const TempDir dir;
  const auto ranges = some_ranges(8);
  {
    JournalWriter writer(open_file(dir.at("j")), some_head(), "journal");
    for (const KeptRange& range : ranges) writer.add(range);
  }
  const std::string whole = contents(dir.at("j"));
  size_t heads = 0, before = 0;
  for (size_t length = 0; length <= whole.size(); ++length) {
    set_contents(dir.at("cut"), whole.substr(0, length));
    const auto read = read_back(dir.at("cut"));
    if (!read) continue;
    ++heads;
    CHECK(is_begin_of(*read, ranges));
    CHECK(read->ranges.size() >= before);
    before = read->ranges.size();
  }
  CHECK(before == ranges.size());
  CHECK(heads == 8 * 41 + 1);
}

TEST_CASE("Journal: any byte edited, what counts is a begin of it") {
  const TempDir dir;
  const auto ranges = some_ranges(8);
  {
    JournalWriter writer(open_file(dir.at("j")), some_head(), "journal");
    for (const KeptRange& range : ranges) writer.add(range);
  }
  const std::string whole = contents(dir.at("j"));
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string edited = whole;
    edited[at] = static_cast<char>(edited[at] ^ (1 << at % 8));
    set_contents(dir.at("edited"), edited);
    const auto read = read_back(dir.at("edited"));
    if (read) CHECK((is_begin_of(*read, ranges) && read->ranges.size() < ranges.size()));
  }
}

TEST_CASE("Journal: records that were moved, doubled or of another one do not count") {
  const TempDir dir;
  const auto ranges = some_ranges(3);
  const auto write = [&](const std::string& name, const JournalHead& head) {
    JournalWriter writer(open_file(dir.at(name)), head, "journal");
    for (const KeptRange& range : ranges) writer.add(range);
    return contents(dir.at(name));
  };
  JournalHead other = some_head();
  other.run[0] = std::byte{8};
  const std::string mine = write("mine", some_head()), theirs = write("theirs", other);
  REQUIRE(mine.size() == theirs.size());
  const size_t record = 41, head = mine.size() - 3 * record;
  const auto one = [&](const std::string& from, size_t i) {
    return from.substr(head + i * record, record);
  };
  const auto ranges_in = [&](const std::string& text) {
    set_contents(dir.at("made"), text);
    return read_back(dir.at("made"))->ranges.size();
  };
  const std::string begin = mine.substr(0, head);
  CHECK(ranges_in(begin + one(mine, 0) + one(mine, 1)) == 2);
  CHECK(ranges_in(begin + one(mine, 1) + one(mine, 0)) == 0);
  CHECK(ranges_in(begin + one(mine, 0) + one(mine, 0)) == 1);
  CHECK(ranges_in(begin + one(mine, 0) + one(theirs, 1)) == 1);
}

TEST_CASE("Journal: writing goes on behind what is sound") {
  const TempDir dir;
  const auto ranges = some_ranges(6);
  {
    JournalWriter writer(open_file(dir.at("j")), some_head(), "journal");
    for (size_t i = 0; i < 4; ++i) writer.add(ranges[i]);
  }
  const std::string whole = contents(dir.at("j"));
  set_contents(dir.at("j"),
               whole.substr(0, whole.size() - 5) + "longer than a record, and no record");
  auto read = read_back(dir.at("j"));
  REQUIRE(read);
  REQUIRE(read->ranges.size() == 3);
  {
    JournalWriter writer(open_file(dir.at("j")), *read, "journal");
    for (size_t i = 3; i < 6; ++i) writer.add(ranges[i]);
  }
  CHECK(read_back(dir.at("j"))->ranges == ranges);
}

TEST_CASE("Journal: what cannot be written is an error") {
  const UniqueFd fd = open_file("/dev/full");
  REQUIRE(fd.valid());
  CHECK_THROWS_AS(JournalWriter(open_file("/dev/full"), some_head(), "journal"), Error);
}

TEST_CASE("boot_id: the same for all of one boot") {
  REQUIRE(boot_id());
  CHECK(boot_id() == boot_id());
}

}  // namespace
}  // namespace zx
