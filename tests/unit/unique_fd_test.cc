// SPDX-License-Identifier: MIT
#include "common/base/unique_fd.h"

#include <fcntl.h>

#include <catch2/catch.hpp>
#include <cerrno>

namespace zx {
namespace {

bool is_open(int fd) {
  return fcntl(fd, F_GETFD) >= 0;
}

UniqueFd open_null() {
  UniqueFd fd(open("/dev/null", O_RDONLY | O_CLOEXEC));
  REQUIRE(fd.valid());
  return fd;
}

TEST_CASE("UniqueFd: an empty one is not valid and closes without an error") {
  UniqueFd fd;
  CHECK_FALSE(fd.valid());
  CHECK(fd.get() == -1);
  CHECK(fd.close() == 0);
}

TEST_CASE("UniqueFd: the destructor closes") {
  int number = -1;
  {
    const UniqueFd fd = open_null();
    number = fd.get();
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("UniqueFd: close happens once and tells the error") {
  UniqueFd fd = open_null();
  const int number = fd.get();
  CHECK(fd.close() == 0);
  CHECK_FALSE(is_open(number));
  CHECK_FALSE(fd.valid());
  CHECK(fd.close() == 0);

  UniqueFd stale(number);
  CHECK(stale.close() == EBADF);
}

TEST_CASE("UniqueFd: release gives up ownership without closing") {
  int number = -1;
  {
    UniqueFd fd = open_null();
    number = fd.release();
    CHECK_FALSE(fd.valid());
  }
  CHECK(is_open(number));
  CHECK(::close(number) == 0);
}

TEST_CASE("UniqueFd: a move takes the descriptor and leaves an empty owner") {
  UniqueFd from = open_null();
  const int number = from.get();
  const UniqueFd to(std::move(from));
  CHECK(to.get() == number);
  CHECK_FALSE(from.valid());  // NOLINT(bugprone-use-after-move): this is the point
  CHECK(is_open(number));
}

TEST_CASE("UniqueFd: move assignment closes what was owned before") {
  UniqueFd from = open_null();
  UniqueFd to = open_null();
  const int taken = from.get(), dropped = to.get();
  to = std::move(from);
  CHECK(to.get() == taken);
  CHECK(is_open(taken));
  CHECK_FALSE(is_open(dropped));
  CHECK_FALSE(from.valid());  // NOLINT(bugprone-use-after-move)
}

TEST_CASE("UniqueFd: a move to itself changes nothing") {
  UniqueFd fd = open_null();
  const int number = fd.get();
  UniqueFd& same = fd;  // through a reference: compilers warn of the plain form
  fd = std::move(same);
  CHECK(fd.get() == number);
  CHECK(is_open(number));
  if (!fd.valid()) (void)::close(number);
}

}  // namespace
}  // namespace zx
