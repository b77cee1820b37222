// SPDX-License-Identifier: MIT
#include "common/file/replace.h"

#include <catch2/catch.hpp>

namespace zx {
namespace {

TEST_CASE("why_not_replaced: whose file it is counts in a sticky directory only") {
  constexpr uid_t kMe = 1000, kOther = 1001, kRoot = 0;
  struct {
    uint16_t dir_mode;
    uid_t dir_owner, file_owner;
    bool any_owner, replaced;
  } const rows[] = {
      {01777, kRoot, kMe, false, true},      {01777, kRoot, kOther, false, false},
      {01777, kMe, kOther, false, true},     {0777, kRoot, kOther, false, true},
      {01777, kOther, kOther, false, false}, {01777, kOther, kOther, true, true},
  };
  for (const auto& row : rows) {
    struct statx dir {
    }, file{};
    dir.stx_mode = S_IFDIR | row.dir_mode;
    dir.stx_uid = row.dir_owner;
    file.stx_mode = S_IFREG | 0644;
    file.stx_uid = row.file_owner;
    INFO(row.dir_mode << ' ' << row.dir_owner << ' ' << row.file_owner << ' ' << row.any_owner);
    CHECK(why_not_replaced(dir, file, kMe, row.any_owner).empty() == row.replaced);
  }
}

TEST_CASE("why_not_replaced: what is no file, or is held in its place") {
  struct statx dir {
  }, file{};
  dir.stx_mode = S_IFDIR | 0755;
  for (const unsigned kind : {S_IFDIR, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK}) {
    file.stx_mode = static_cast<uint16_t>(kind);
    CHECK_FALSE(why_not_replaced(dir, file, 0, true).empty());
  }
  file.stx_mode = S_IFLNK;
  CHECK(why_not_replaced(dir, file, 0, true).empty());
  file.stx_mode = S_IFREG;
  for (const uint64_t attribute :
       {STATX_ATTR_MOUNT_ROOT, STATX_ATTR_IMMUTABLE, STATX_ATTR_APPEND}) {
    file.stx_attributes = attribute;
    CHECK_FALSE(why_not_replaced(dir, file, 0, true).empty());
  }
  // What could not be looked at is left to the rename.
  CHECK(why_not_replaced(dir, {}, 0, true).empty());
}

}  // namespace
}  // namespace zx
