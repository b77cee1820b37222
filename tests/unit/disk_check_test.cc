// SPDX-License-Identifier: MIT
// --verify=disk: on a disk, where this machine has one below /var/tmp, and in memory.
#include "zrecv/disk_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/file/direct_file.h"
#include "common/wire/codec.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

constexpr uint64_t kMiB = 1 << 20;

// A file of some blocks with gaps between them.
struct Written {
  explicit Written(const TempDir& dir, const std::vector<WrittenBlock>& wanted, uint64_t bytes)
      : fd(open(dir.at("f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)),
        blocks(wanted),
        size(bytes) {
    REQUIRE(ftruncate(fd.get(), to_off(size)) == 0);
    DigestSum all;
    for (const WrittenBlock& block : blocks) {
      std::string text(block.length, 'a');
      for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
      REQUIRE(pwrite_full(fd.get(), as_bytes(text), block.offset) == 0);
      all.add(block_part(block.offset, block.length, digest_of(as_bytes(text))));
    }
    sum = all.value();
  }
  Caveats check() const {
    Caveats caveats;
    check_on_disk(fd.get(), "'f'", blocks, size, sum, caveats);
    return caveats;
  }
  void write_byte(uint64_t offset, char byte) const {
    REQUIRE(pwrite(fd.get(), &byte, 1, to_off(offset)) == 1);
  }

  UniqueFd fd;
  std::vector<WrittenBlock> blocks;
  uint64_t size;
  Digest sum{};
};

TEST_CASE("check_on_disk: what is there as it was written is good, in any order of blocks") {
  const TempDir dir("/var/tmp");
  const Written sparse(dir, {{10 * kMiB, 3'000'001}, {0, 4096}, {5 * kMiB, kMiB}}, 20 * kMiB + 7);
  if (lives_in_memory(sparse.fd.get())) return;
  CHECK(sparse.check().empty());
  const TempDir other("/var/tmp");
  CHECK(Written(other, {{0, 5}}, 5).check().empty());
  const TempDir empty("/var/tmp");
  CHECK(Written(empty, {}, 0).check().empty());
}

TEST_CASE("check_on_disk: any byte that is another one is found") {
  const TempDir dir("/var/tmp");
  const Written file(dir, {{0, 2 * kMiB}, {4 * kMiB, 10'001}}, 6 * kMiB);
  if (lives_in_memory(file.fd.get())) return;
  const auto finds = [&] {
    try {
      return !file.check().empty();
    } catch (const Error& error) {
      return error.status() == ExitStatus::Integrity;
    }
  };
  CHECK(!finds());
  // In a block, in the last page of one, in a hole between and at the end.
  for (const uint64_t offset :
       {uint64_t{0}, 2 * kMiB - 1, 4 * kMiB + 10'000, 3 * kMiB, 4 * kMiB + 10'001, 6 * kMiB - 1}) {
    char before = 0;
    REQUIRE(pread(file.fd.get(), &before, 1, to_off(offset)) == 1);
    file.write_byte(offset, static_cast<char>(before + 1));
    CHECK(finds());
    file.write_byte(offset, before);
    CHECK(!finds());
  }
}

TEST_CASE("check_on_disk: a file that has become shorter cannot be read") {
  const TempDir dir("/var/tmp");
  const Written file(dir, {{0, 2 * kMiB}}, 2 * kMiB);
  if (lives_in_memory(file.fd.get())) return;
  REQUIRE(ftruncate(file.fd.get(), kMiB + 5) == 0);
  CHECK_THROWS_AS(file.check(), Error);
}

TEST_CASE("check_on_disk: where memory is the disk nothing is read, and that is said") {
  const TempDir dir("/dev/shm");
  const Written file(dir, {{0, 5}}, 5);
  REQUIRE(lives_in_memory(file.fd.get()));
  CHECK(file.check().contains(Caveat::Disk));
}

}  // namespace
}  // namespace zx
