// SPDX-License-Identifier: MIT
#include "common/file/spool.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "engine_fixture.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
  }
  UniqueFd out, in;
};

void feed(int fd, std::span<const std::byte> bytes) {
  REQUIRE(write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

Buffer content(const Spool& spool, uint64_t from, size_t length) {
  Buffer out(length);
  REQUIRE(pread_full(spool.fd(), out, from) == static_cast<ssize_t>(length));
  return out;
}

uint64_t occupied(const Spool& spool) {
  struct stat st {};
  REQUIRE(fstat(spool.fd(), &st) == 0);
  return static_cast<uint64_t>(st.st_blocks) * 512;
}

TEST_CASE("Spool: takes from a pipe and from what is none, up to its end") {
  Spool spool = Spool::in_memory();
  const Buffer bytes = pattern(10'000);
  const std::span all(bytes);
  Pipe pipe;
  feed(pipe.in.get(), all.first(4000));
  CHECK(spool.append_from(pipe.out.get(), 3000) == 3000);
  CHECK(spool.append_from(pipe.out.get(), 5000) == 1000);
  (void)pipe.in.close();
  CHECK(spool.append_from(pipe.out.get(), 5000) == 0);

  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  feed(in.get(), all.subspan(4000));
  (void)in.close();
  CHECK(spool.append_from(out.get(), 2000) == 2000);
  CHECK(spool.append_from(out.get(), 100'000) == 4000);
  CHECK(spool.append_from(out.get(), 100'000) == 0);
  CHECK(spool.end() == bytes.size());
  CHECK(content(spool, 0, bytes.size()) == bytes);
}

TEST_CASE("Spool: what cannot be read is an errno, and nothing is counted") {
  Spool spool = Spool::in_memory();
  const UniqueFd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(spool.append_from(directory.get(), 100) == -EISDIR);
  CHECK(spool.append_from(-1, 100) == -EBADF);
  CHECK(spool.end() == 0);
}

TEST_CASE("Spool: released memory is given back, what is behind it stays") {
  Spool spool = Spool::in_memory();
  constexpr uint64_t kWindow = 4 << 20;
  const Buffer bytes = pattern(1 << 20);
  for (uint64_t round = 0; round < 64; ++round) {
    REQUIRE(spool.append(bytes) == 0);
    if (spool.end() - spool.begin() > kWindow) spool.release_to(spool.end() - kWindow + 1);
    REQUIRE(occupied(spool) <= kWindow + (1 << 20) + 4096);
  }
  CHECK(spool.end() == 64U << 20);
  CHECK(spool.begin() == spool.end() - kWindow + 1);
  CHECK(content(spool, spool.end() - (1 << 20), 1 << 20) == bytes);
  // Inside a page: what is not released of it is still there.
  const Buffer tail = content(spool, spool.begin(), (1 << 20) - 1);
  CHECK(std::equal(tail.begin(), tail.end(), bytes.begin() + 1));
  // Backwards and beyond the end are nothing.
  spool.release_to(0);
  CHECK(spool.begin() == spool.end() - kWindow + 1);
  spool.release_to(UINT64_MAX);
  CHECK(spool.begin() == spool.end());
  CHECK(spool.end() - spool.begin() == 0);
  CHECK(occupied(spool) == 0);
}

TEST_CASE("Spool: sendfile reads it at the stream's own offsets, also after a release") {
  Spool spool = Spool::in_memory();
  const Buffer bytes = pattern(300'000);
  REQUIRE(spool.append(bytes) == 0);
  spool.release_to(250'000);
  Pipe pipe;
  off_t at = 250'001;
  REQUIRE(sendfile(pipe.in.get(), spool.fd(), &at, 40'000) == 40'000);
  Buffer got(40'000);
  REQUIRE(read(pipe.out.get(), got.data(), got.size()) == 40'000);
  CHECK(std::equal(got.begin(), got.end(), bytes.begin() + 250'001));
}

TEST_CASE("Spool: one on disk has no name and is released as well") {
  const TempDir temp;
  const std::string directory = temp.path();
  {
    Spool spool = Spool::on_disk(directory);
    const Buffer bytes = pattern(1 << 20);
    REQUIRE(spool.append(bytes) == 0);
    spool.release_to(512 << 10);
    CHECK(std::filesystem::is_empty(directory));
    const Buffer rest = content(spool, 512 << 10, 512 << 10);
    CHECK(std::equal(rest.begin(), rest.end(), bytes.begin() + (512 << 10)));
    REQUIRE(fsync(spool.fd()) == 0);  // delayed allocation
    CHECK(occupied(spool) <= (512U << 10) + 65536);
  }
  std::filesystem::remove(directory);
  CHECK(outcome([&] { (void)Spool::on_disk(directory); }) == "file-io");
}

}  // namespace
}  // namespace zx
