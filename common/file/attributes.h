// SPDX-License-Identifier: MIT
// Owner, ACLs and extended attributes of files and directories that are open: read at one end, set
// at the other. Which of them are set at all is decided in zrecv/keeping.h.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "common/base/caveat.h"
#include "common/file/principals.h"
#include "common/wire/attributes.h"

namespace zx {

/// All that is sent of an open file or directory. What cannot be had, or is too much, is left out,
/// with a caveat. Blocking.
Attributes read_attributes(int fd, const struct stat& st, Principals& principals, Caveats& caveats);
/// The same of a file by its name in a directory, which is not opened; a link is not followed.
/// Nothing when not all can be had.
std::optional<Attributes> read_attributes(int dir, const std::string& name, const struct stat& st,
                                          Principals& principals);
/// Only its owner and group.
Attributes read_owner(const struct stat& st, Principals& principals);

/// ACLs as the kernel has them, in the value of an extended attribute.
inline constexpr const char* kAccessAcl = "system.posix_acl_access";
inline constexpr const char* kDefaultAcl = "system.posix_acl_default";
struct LocalAclEntry {
  uint16_t tag = 0, permissions = 0;
  uint32_t id = 0;
};
/// Nothing for what is no ACL.
std::vector<LocalAclEntry> parse_acl(const std::string& value);
/// The entries of an ACL that are about nobody by name: permissions of three bits each.
struct AclBase {
  mode_t owner = 0, group = 0, other = 0;
  std::optional<mode_t> mask = {};
};
AclBase base_of_acl(const std::string& value);

/// Attributes of a peer, in terms of this machine.
struct LocalAttributes {
  // Nothing for one that has neither a name that is known here nor an id that counts.
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
  std::string acl, default_acl;  // as values; empty: none
  std::vector<Xattr> xattrs;
  Caveats caveats;  // of names that are not known here
};
/// foreign_ids: who has no name here keeps the id from there, but never 0. Blocking.
LocalAttributes localize(Attributes attributes, Principals& principals, bool foreign_ids);

// Each of them throws Error{FileIo|NoSpace}, but for what cannot be or is not allowed: a caveat.

struct OwnerKept {
  bool user = false, group = false;
};
/// Of an open file; with `name`, of that in the directory, and a symbolic link itself.
OwnerKept set_owner(int fd, const char* name, const LocalAttributes& wanted,
                    const std::string& what, Caveats& caveats);
/// kind: kAccessAcl or kDefaultAcl; what is there goes when there is none.
void set_acl(int fd, const char* kind, const std::string& value, const std::string& what,
             Caveats& caveats);
/// Whether the file of this name has these ACL (nullptr: whatever it has) and extended attributes;
/// exactly: and no other of their kinds. It is not opened, and a link is not followed.
bool has_attributes(int dir, const std::string& name, const std::string* acl,
                    const std::vector<Xattr>& xattrs, bool exactly);
/// all_kinds: also others than user.*. clear: what is there of these and was not sent goes.
void set_xattrs(int fd, const std::vector<Xattr>& xattrs, bool all_kinds, bool clear,
                const std::string& what, Caveats& caveats);

}  // namespace zx
