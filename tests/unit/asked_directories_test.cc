// SPDX-License-Identifier: MIT
#include "common/session/asked_directories.h"

#include <catch2/catch.hpp>

namespace zx {
namespace {

TEST_CASE(
    "AskedDirectories: a directory counts with its depth, once, until its last file is here") {
  AskedDirectories asked(10);
  asked.add(1, 6);
  CHECK(asked.has_room(1, 6));
  asked.add(1, 6);
  CHECK(asked.has_room(2, 4));
  CHECK(!asked.has_room(2, 5));
  asked.add(2, 4);
  CHECK(!asked.has_room(3, 1));
  CHECK(asked.has_room(2, 4));
  CHECK(asked.has_room(0, 0));  // a file that is in none
  asked.remove(1);
  CHECK(!asked.has_room(3, 1));
  asked.remove(1);
  CHECK(asked.has_room(3, 6));
  CHECK(!asked.has_room(3, 7));
}

TEST_CASE("AskedDirectories: a single one may be as deep as it is") {
  AskedDirectories asked(10);
  CHECK(asked.has_room(1, 1000));
  asked.add(1, 1000);
  CHECK(asked.has_room(1, 1000));
  CHECK(!asked.has_room(2, 1));
  asked.remove(1);
  CHECK(asked.has_room(2, 1000));
}

}  // namespace
}  // namespace zx
