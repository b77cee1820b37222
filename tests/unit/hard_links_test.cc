// SPDX-License-Identifier: MIT
#include "zsend/hard_links.h"

#include <catch2/catch.hpp>

#include "common/wire/limits.h"

using namespace zx;

namespace {

struct stat file(ino_t inode, nlink_t names, off_t size = 5) {
  struct stat out {};
  out.st_dev = 7;
  out.st_ino = inode;
  out.st_nlink = names;
  out.st_size = size;
  return out;
}

}  // namespace

TEST_CASE("hard links: each name but the first is one, up to the last") {
  HardLinks links;
  CHECK(links.first_of(file(1, 3)) == 0);
  CHECK(links.add_first(file(1, 3), 10));
  CHECK(links.first_of(file(1, 3)) == 10);
  CHECK(links.first_of(file(2, 3)) == 0);
  CHECK(links.add_name(file(1, 3)));
  CHECK(links.first_of(file(1, 3)) == 10);
  CHECK_FALSE(links.add_name(file(1, 3)));
  CHECK(links.first_of(file(1, 3)) == 0);
}

TEST_CASE("hard links: a file of another device, or with one name by now, is none") {
  HardLinks links;
  CHECK(links.add_first(file(1, 2), 10));
  auto other = file(1, 2);
  other.st_dev = 8;
  CHECK(links.first_of(other) == 0);
  CHECK(links.first_of(file(1, 1)) == 0);
}

TEST_CASE("hard links: what has changed since, or failed, is sent anew") {
  HardLinks links;
  CHECK(links.add_first(file(1, 3), 10));
  CHECK(links.first_of(file(1, 3, 6)) == 0);
  auto later = file(1, 3);
  later.st_mtim.tv_nsec = 1;
  CHECK(links.first_of(later) == 0);
  CHECK(links.add_first(later, 11));
  CHECK(links.first_of(later) == 11);
  links.forget(10);  // its names are with 11 now
  CHECK(links.first_of(later) == 11);
  links.forget(11);
  CHECK(links.first_of(later) == 0);
}

TEST_CASE("hard links: there is a limit on those whose names are still to come") {
  HardLinks links;
  for (size_t i = 1; i <= kMaxLinkedFiles; ++i) CHECK(links.add_first(file(i, 2), i));
  CHECK_FALSE(links.add_first(file(0, 2), kMaxLinkedFiles + 1));
  CHECK_FALSE(links.add_name(file(1, 2)));
  CHECK(links.add_first(file(0, 2), kMaxLinkedFiles + 2));
  links.forget(2);  // the receiver knows it still
  CHECK_FALSE(links.add_first(file(1, 2), kMaxLinkedFiles + 3));
}
