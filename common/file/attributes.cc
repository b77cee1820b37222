// SPDX-License-Identifier: MIT
#include "common/file/attributes.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/space.h"

namespace zx {
namespace {

// As linux/posix_acl_xattr.h has it: a version, then {tag, permissions, id}, little endian, as are
// the machines this is built for.
constexpr uint32_t kAclVersion = 2;
constexpr size_t kAclHeaderBytes = 4, kAclEntryBytes = 8;
constexpr uint32_t kNoId = UINT32_MAX;

bool is_user_xattr(std::string_view name) {
  return name.starts_with("user.");
}

// Labels of security modules are about the machine they are on.
bool is_sent(std::string_view name) {
  return is_user_xattr(name) || name.starts_with("trusted.") || name == "security.capability";
}

// call(buffer, size) is one of getxattr(2) and its like. Nothing, and errno, when it fails.
template <typename Call>
std::optional<std::string> read_whole(Call&& call) {
  std::string out(256, '\0');
  for (;;) {
    const ssize_t n = call(out.data(), out.size());
    if (n >= 0) {
      out.resize(static_cast<size_t>(n));
      return out;
    }
    if (errno != ERANGE) return std::nullopt;
    if (out.size() > kMaxXattrBytes) {  // the kernel has none that is longer
      errno = E2BIG;
      return std::nullopt;
    }
    out.resize(kMaxXattrBytes + 1);
  }
}

// What has the attributes that are read: an open file, or one by its path, whose last component is
// not followed.
struct Where {
  int fd = -1;
  std::string path = {};

  static Where in(int dir, const std::string& name) {
    return {-1, "/proc/self/fd/" + std::to_string(dir) + "/" + name};
  }
};

std::optional<std::string> read_xattr(const Where& where, const std::string& name) {
  return read_whole([&](char* to, size_t size) {
    return where.fd >= 0 ? fgetxattr(where.fd, name.c_str(), to, size)
                         : lgetxattr(where.path.c_str(), name.c_str(), to, size);
  });
}

std::vector<std::string> split_names(const std::string& list) {
  std::vector<std::string> out;
  for (size_t at = 0; at < list.size(); at += out.back().size() + 1)
    out.emplace_back(list.c_str() + at);
  return out;
}

// Nothing when they cannot be had; a file system that has none has an empty list.
std::optional<std::vector<std::string>> list_xattrs(const Where& where) {
  const auto list = read_whole([&](char* to, size_t size) {
    return where.fd >= 0 ? flistxattr(where.fd, to, size)
                         : llistxattr(where.path.c_str(), to, size);
  });
  if (list) return split_names(*list);
  if (is_unsupported(errno)) return std::vector<std::string>{};
  return std::nullopt;
}

Acl read_acl(const std::string& value, Principals& principals) {
  Acl out;
  for (const LocalAclEntry& entry : parse_acl(value)) {
    AclEntry named{static_cast<AclEntry::Tag>(entry.tag), entry.permissions};
    if (named.names_one())
      named.who = principals.of(named.tag == AclEntry::User ? Principals::User : Principals::Group,
                                entry.id);
    out.push_back(std::move(named));
  }
  return out;
}

// The id that it has here.
std::optional<uint32_t> find_here(const Principal& who, Principals::Kind kind,
                                  Principals& principals, bool foreign_ids) {
  if (const auto id = principals.id_of(kind, who.name)) return id;
  if (!foreign_ids || who.id == 0 || who.id == kNoId) return std::nullopt;
  return who.id;
}

std::string unknown_here(const Principal& who, Principals::Kind kind) {
  return std::string("no ") + (kind == Principals::User ? "user " : "group ") +
         (who.name.empty() ? std::to_string(who.id) : quote_peer_text(who.name)) + " here";
}

std::string make_acl(const Acl& acl, Principals& principals, bool foreign_ids, Caveats& caveats) {
  if (acl.empty()) return "";
  std::string out(kAclHeaderBytes, '\0');
  std::memcpy(out.data(), &kAclVersion, kAclHeaderBytes);
  for (const AclEntry& entry : acl) {
    uint32_t id = kNoId;
    if (entry.names_one()) {
      const auto kind = entry.tag == AclEntry::User ? Principals::User : Principals::Group;
      const auto here = find_here(entry.who, kind, principals, foreign_ids);
      if (!here) {  // without it the ACL grants less, never more
        caveats.try_emplace(Caveat::Acl, unknown_here(entry.who, kind));
        continue;
      }
      id = *here;
    }
    const uint16_t head[] = {entry.tag, entry.permissions};
    out.append(reinterpret_cast<const char*>(head), sizeof head);
    out.append(reinterpret_cast<const char*>(&id), sizeof id);
  }
  return out;
}

// What has no room in an inode or block is no sign of a full disk: the content has its own.
void xattr_failed(const std::string& what, const std::string& name, int error, Caveats& caveats) {
  if (error == ENOSPC || error == E2BIG || error == ERANGE || error == EDQUOT)
    caveats.try_emplace(Caveat::Xattrs, errno_text(error));
  else
    caveat_or_throw(Caveat::Xattrs, what + ": set " + quote_peer_text(name), error, caveats);
}

}  // namespace

std::vector<LocalAclEntry> parse_acl(const std::string& value) {
  std::vector<LocalAclEntry> out;
  if (value.size() < kAclHeaderBytes || value.size() % kAclEntryBytes != kAclHeaderBytes)
    return out;
  for (size_t at = kAclHeaderBytes; at < value.size(); at += kAclEntryBytes) {
    LocalAclEntry entry;
    std::memcpy(&entry.tag, value.data() + at, 2);
    std::memcpy(&entry.permissions, value.data() + at + 2, 2);
    std::memcpy(&entry.id, value.data() + at + 4, 4);
    out.push_back(entry);
  }
  return out;
}

AclBase base_of_acl(const std::string& value) {
  AclBase out;
  for (const LocalAclEntry& entry : parse_acl(value)) {
    if (entry.tag == AclEntry::Owner) out.owner = entry.permissions;
    if (entry.tag == AclEntry::OwningGroup) out.group = entry.permissions;
    if (entry.tag == AclEntry::Mask) out.mask = entry.permissions;
    if (entry.tag == AclEntry::Other) out.other = entry.permissions;
  }
  return out;
}

Attributes read_owner(const struct stat& st, Principals& principals) {
  Attributes out;
  out.owner = principals.of(Principals::User, st.st_uid);
  out.group = principals.of(Principals::Group, st.st_gid);
  return out;
}

namespace {

Attributes read_attributes_of(const Where& where, const struct stat& st, Principals& principals,
                              Caveats& caveats) {
  Attributes out = read_owner(st, principals);
  const auto names = list_xattrs(where);
  if (!names) caveats.try_emplace(Caveat::Xattrs, "they cannot be read: " + errno_text(errno));
  for (const std::string& name : names.value_or(std::vector<std::string>{})) {
    Acl* const acl = name == kAccessAcl    ? &out.acl
                     : name == kDefaultAcl ? &out.default_acl
                                           : nullptr;
    if (acl == nullptr && !is_sent(name)) continue;
    auto value = read_xattr(where, name);
    if (!value && errno == ENODATA) continue;  // it went meanwhile
    if (acl != nullptr) {
      if (value) *acl = read_acl(*value, principals);
      if (value && acl->size() <= kMaxAclEntries && Attributes::bytes_of(*acl) <= kMaxAclBytes)
        continue;
      acl->clear();
      caveats.try_emplace(Caveat::Acl, value ? "it is over 16 KiB" : "it cannot be read");
    } else if (value) {
      out.xattrs.push_back({name, std::move(*value)});
    } else {
      caveats.try_emplace(Caveat::Xattrs, "they cannot be read: " + errno_text(errno));
    }
  }
  if (out.xattr_bytes() > kMaxXattrBytes || out.xattrs.size() > kMaxXattrs) {
    out.xattrs.clear();
    caveats[Caveat::Xattrs] = "they are over 64 KiB";
  }
  return out;
}

}  // namespace

Attributes read_attributes(int fd, const struct stat& st, Principals& principals,
                           Caveats& caveats) {
  return read_attributes_of({fd}, st, principals, caveats);
}

std::optional<Attributes> read_attributes(int dir, const std::string& name, const struct stat& st,
                                          Principals& principals) {
  Caveats caveats;
  Attributes out = read_attributes_of(Where::in(dir, name), st, principals, caveats);
  return caveats.empty() ? std::optional(std::move(out)) : std::nullopt;
}

bool has_attributes(int dir, const std::string& name, const std::string* acl,
                    const std::vector<Xattr>& xattrs, bool exactly) {
  const Where where = Where::in(dir, name);
  const auto names = list_xattrs(where);
  if (!names) return false;
  const auto has = [&](const std::string& one) {
    return std::ranges::find(*names, one) != names->end();
  };
  if (acl != nullptr && (acl->empty() ? has(kAccessAcl) : read_xattr(where, kAccessAcl) != *acl))
    return false;
  for (const Xattr& x : xattrs)
    if (!has(x.name) || read_xattr(where, x.name) != x.value) return false;
  return !exactly || std::ranges::all_of(*names, [&](const std::string& one) {
    return !is_sent(one) || std::ranges::find(xattrs, one, &Xattr::name) != xattrs.end();
  });
}

LocalAttributes localize(Attributes attributes, Principals& principals, bool foreign_ids) {
  LocalAttributes out;
  const auto find = [&](const Principal& who, Principals::Kind kind) {
    const auto id = find_here(who, kind, principals, foreign_ids);
    if (!id) out.caveats.try_emplace(Caveat::Owner, unknown_here(who, kind));
    return id;
  };
  out.owner = find(attributes.owner, Principals::User);
  out.group = find(attributes.group, Principals::Group);
  out.acl = make_acl(attributes.acl, principals, foreign_ids, out.caveats);
  out.default_acl = make_acl(attributes.default_acl, principals, foreign_ids, out.caveats);
  out.xattrs = std::move(attributes.xattrs);
  return out;
}

OwnerKept set_owner(int fd, const char* name, const LocalAttributes& wanted,
                    const std::string& what, Caveats& caveats) {
  constexpr uid_t kStays = static_cast<uid_t>(-1);
  const char* const at = name == nullptr ? "" : name;
  const int flags = name == nullptr ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
  struct stat now {};
  if (fstatat(fd, at, &now, flags) != 0) throw_file_errno(what + ": look at its owner", errno);
  OwnerKept kept{wanted.owner == now.st_uid, wanted.group == now.st_gid};
  const auto change = [&](uid_t owner, gid_t group) {
    if (fchownat(fd, at, owner, group, flags) == 0) return true;
    caveat_or_throw(Caveat::Owner, what + ": set the owner", errno, caveats);
    return false;
  };
  // Both in one call for those who may; each alone says who may not.
  if (wanted.owner && wanted.group && !kept.user &&
      fchownat(fd, at, *wanted.owner, *wanted.group, flags) == 0)
    return {true, true};
  if (wanted.group && !kept.group) kept.group = change(kStays, *wanted.group);
  if (wanted.owner && !kept.user) kept.user = change(*wanted.owner, kStays);
  return kept;
}

void set_acl(int fd, const char* kind, const std::string& value, const std::string& what,
             Caveats& caveats) {
  if (value.empty()) {
    if (fremovexattr(fd, kind) == 0 || errno == ENODATA || is_unsupported(errno)) return;
    caveat_or_throw(Caveat::Acl, what + ": remove the ACL", errno, caveats);
  } else if (fsetxattr(fd, kind, value.data(), value.size(), 0) != 0) {
    caveat_or_throw(Caveat::Acl, what + ": set the ACL", errno, caveats);
  }
}

void set_xattrs(int fd, const std::vector<Xattr>& xattrs, bool all_kinds, bool clear,
                const std::string& what, Caveats& caveats) {
  const auto may = [&](const std::string& name) {
    return is_user_xattr(name) || (all_kinds && is_sent(name));
  };
  if (clear) {
    for (const std::string& name : list_xattrs({fd}).value_or(std::vector<std::string>{}))
      if (may(name) && std::ranges::find(xattrs, name, &Xattr::name) == xattrs.end() &&
          fremovexattr(fd, name.c_str()) != 0 && errno != ENODATA)
        xattr_failed(what, name, errno, caveats);
  }
  for (const Xattr& x : xattrs) {
    if (!may(x.name))
      caveats.try_emplace(Caveat::Xattrs, "only user.* without -a at this side");
    else if (fsetxattr(fd, x.name.c_str(), x.value.data(), x.value.size(), 0) != 0)
      xattr_failed(what, x.name, errno, caveats);
  }
}

}  // namespace zx
