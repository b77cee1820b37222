// SPDX-License-Identifier: MIT
#include "zrecv/confinement.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <thread>

#include "common/base/unique_fd.h"
#include "tests/unit/temp_dir.h"

using namespace zx;

namespace {

int version() {
  return static_cast<int>(
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

// 0, or why it cannot be opened.
int open_error(const std::string& path, int flags) {
  const UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));
  return fd.valid() ? 0 : errno;
}

int result(int returned) {
  return returned == 0 ? 0 : errno;
}

}  // namespace

TEST_CASE("confine_writing: what is elsewhere can be read and not written, by later threads too") {
  if (version() < 0) return;  // this kernel has no Landlock
  const TempDir dir;
  const std::string in = dir.path() + "/in", out = dir.path() + "/out";
  REQUIRE(mkdir(in.c_str(), 0700) == 0);
  REQUIRE(mkdir((in + "/deep").c_str(), 0700) == 0);
  REQUIRE(mkdir(out.c_str(), 0700) == 0);
  for (const std::string& path : {in + "/old", out + "/old", out + "/moved", in + "/moved"})
    REQUIRE(open_error(path, O_WRONLY | O_CREAT) == 0);
  const UniqueFd held(open((out + "/held").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  const UniqueFd outside(open(out.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));

  const auto attempts = [&] {
    CHECK(open_error(out + "/old", O_RDONLY) == 0);
    CHECK(write(held.get(), "x", 1) == 1);  // was open before

    CHECK(open_error(out + "/old", O_WRONLY) == EACCES);
    CHECK(open_error(out + "/new", O_WRONLY | O_CREAT) == EACCES);
    CHECK(openat(outside.get(), "new", O_WRONLY | O_CREAT, 0600) < 0);  // a held one is no way
    CHECK(result(mkdirat(outside.get(), "dir", 0700)) == EACCES);
    CHECK(result(symlink("x", (out + "/link").c_str())) == EACCES);
    CHECK(result(mkfifo((in + "/fifo").c_str(), 0600)) == EACCES);  // is never received
    CHECK(result(unlink((out + "/old").c_str())) == EACCES);
    CHECK(result(rename((out + "/old").c_str(), (out + "/older").c_str())) == EACCES);
    CHECK(result(rename((out + "/moved").c_str(), (in + "/in").c_str())) != 0);
    CHECK(result(rename((in + "/moved").c_str(), (out + "/out").c_str())) != 0);
    CHECK(result(link((in + "/moved").c_str(), (out + "/linked").c_str())) != 0);
    if (version() >= 3) CHECK(result(truncate((out + "/old").c_str(), 0)) == EACCES);

    CHECK(open_error(in + "/old", O_WRONLY | O_TRUNC) == 0);
    CHECK(open_error(in + "/deep/.tmp", O_WRONLY | O_CREAT | O_EXCL) == 0);
    CHECK(result(rename((in + "/deep/.tmp").c_str(), (in + "/deep/f").c_str())) == 0);
    if (version() >= 2) {
      CHECK(result(link((in + "/deep/f").c_str(), (in + "/linked").c_str())) == 0);
      CHECK(result(unlink((in + "/linked").c_str())) == 0);
    }
    CHECK(result(symlink("x", (in + "/deep/link").c_str())) == 0);
    CHECK(result(unlink((in + "/deep/link").c_str())) == 0);
    CHECK(result(unlink((in + "/deep/f").c_str())) == 0);
    CHECK(result(mkdir((in + "/deep/dir").c_str(), 0700)) == 0);
    CHECK(result(rmdir((in + "/deep/dir").c_str())) == 0);
  };
  // It holds for a thread, and this one must stay free of it.
  std::thread([&] {
    const UniqueFd place(open(in.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    REQUIRE(confine_writing(place.get(), /*links_across=*/version() >= 2).empty());
    attempts();
    std::thread(attempts).join();
  }).join();
}

TEST_CASE("confine_writing: a file by itself") {
  if (version() < 0) return;
  const TempDir dir;
  const std::string file = dir.path() + "/file", other = dir.path() + "/other";
  for (const std::string& path : {file, other}) REQUIRE(open_error(path, O_WRONLY | O_CREAT) == 0);
  std::thread([&] {
    const UniqueFd place(open(file.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(confine_writing(place.get(), false).empty());
    CHECK(open_error(file, O_WRONLY) == 0);
    CHECK(open_error(other, O_WRONLY) == EACCES);
    CHECK(open_error(dir.path() + "/new", O_WRONLY | O_CREAT) == EACCES);
  }).join();
}

TEST_CASE("confine_writing: links across directories need the second version of Landlock") {
  if (version() != 1) return;
  CHECK_FALSE(confine_writing(AT_FDCWD, /*links_across=*/true).empty());
}
