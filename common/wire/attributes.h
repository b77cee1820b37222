// SPDX-License-Identifier: MIT
// What -a says of an entry besides its mode and time, as it travels: users and groups by their
// names, so that it means the same on another machine.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "common/wire/limits.h"

namespace zx {

/// A user or a group.
struct Principal {
  uint32_t id = 0;   // where it comes from
  std::string name;  // empty when it has none there

  void fields(auto& c) {
    c.number("id", id);
    c.text("name of a user or group", name, kMaxPrincipalBytes);
  }
};

struct AclEntry {
  // As in linux/posix_acl.h.
  enum Tag : uint16_t { Owner = 1, User = 2, OwningGroup = 4, Group = 8, Mask = 16, Other = 32 };

  Tag tag{};
  uint16_t permissions = 0;  // 07
  Principal who = {};        // of User and Group

  bool names_one() const { return tag == User || tag == Group; }
  void fields(auto& c) {
    c.number("ACL tag", tag);
    c.require(tag != 0 && tag <= Other && (tag & (tag - 1)) == 0, "ACL tag", "unknown");
    c.number("ACL permissions", permissions);
    c.require(permissions <= 7, "ACL permissions", "more than 7");
    if (names_one()) who.fields(c);
  }
};

using Acl = std::vector<AclEntry>;

struct Xattr {
  std::string name;  // with its namespace: "user.comment"
  std::string value;

  void fields(auto& c) {
    c.text("name of an extended attribute", name, kMaxNameBytes);
    c.require(!name.empty() && name.find('\0') == std::string::npos,
              "name of an extended attribute", "empty or with a NUL");
    c.text("value of an extended attribute", value, UINT16_MAX);
  }
};

struct Attributes {
  Principal owner, group;
  Acl acl, default_acl;  // empty: none
  std::vector<Xattr> xattrs;

  bool is_owner_only() const { return acl.empty() && default_acl.empty() && xattrs.empty(); }
  /// Of the extended attributes.
  size_t xattr_bytes() const {
    size_t total = 0;
    for (const Xattr& x : xattrs) total += x.name.size() + x.value.size();
    return total;
  }
  /// What it takes on the wire, and not less than that in memory.
  static size_t bytes_of(const Acl& acl) {
    size_t total = 0;
    for (const AclEntry& entry : acl) total += 10 + entry.who.name.size();
    return total;
  }
  void fields(auto& c) {
    owner.fields(c);
    group.fields(c);
    for (Acl* one : {&acl, &default_acl}) {
      c.list("ACL", *one, 0, kMaxAclEntries);
      c.require(bytes_of(*one) <= kMaxAclBytes, "ACL", "over 16 KiB");
    }
    c.list("extended attributes", xattrs, 0, kMaxXattrs);
    c.require(xattr_bytes() <= kMaxXattrBytes, "extended attributes", "over 64 KiB");
  }
};

}  // namespace zx
