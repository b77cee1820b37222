// SPDX-License-Identifier: MIT
#include "zrecv/keeping.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/file/space.h"

namespace zx {
namespace {

constexpr const char* kNoWord = "-a was not given at the receiving side";
constexpr mode_t kSpecialBits = S_ISUID | S_ISGID | S_ISVTX;

}  // namespace

Keeping Keeping::of(const Terms& own, const Negotiated& agreed) {
  return {.times = agreed.preserve,
          .user_xattrs = agreed.archive,
          .full_mode = own.preserve,
          .rights = own.archive,
          .foreign_ids = own.archive && geteuid() == 0};
}

Metadata::Metadata(EntryInfo& info, const Keeping& keeping, Principals& principals)
    : keeping_(keeping),
      mode_(static_cast<mode_t>(info.mode)),
      mtime_{info.mtime_sec, info.mtime_nsec} {
  if (info.attributes && keeping.user_xattrs)
    attributes_ = localize(std::move(*info.attributes), principals, keeping.foreign_ids);
  info.attributes.reset();
  if (attributes_ && !attributes_->acl.empty() && !keeping.rights) drop_acl_mask();
}

// With an ACL the group's bits of a mode are its mask (acl(5)): without it the group would get
// rights that it does not have at the source.
void Metadata::drop_acl_mask() {
  const AclBase base = base_of_acl(attributes_->acl);
  mode_ = (mode_ & ~mode_t{070}) | (base.group & base.mask.value_or(7)) << 3;
}

void Metadata::set_xattrs(int fd, bool clear, const std::string& what, Caveats& caveats) {
  if (attributes_)
    zx::set_xattrs(fd, attributes_->xattrs, keeping_.rights, clear && keeping_.rights, what,
                   caveats);
}

// The owner first, for a new one takes set-id bits and capabilities away. ACLs last: they change
// the mode, and may forbid the owner to write attributes.
mode_t Metadata::set_file(int fd, const std::string& what, Caveats& caveats) {
  if (!attributes_) return 0;
  const OwnerKept kept = set_owner(fd, what, caveats);
  set_xattrs(fd, /*clear=*/false, what, caveats);
  set_acl(fd, kAccessAcl, attributes_->acl, what, caveats);
  return special_bits(kept, caveats);
}

bool Metadata::is_outdated(const HeldDir& dir, const std::string& name,
                           const struct stat& now) const {
  const bool own = attributes_ && keeping_.rights;
  if (own && ((attributes_->owner && attributes_->owner != now.st_uid) ||
              (attributes_->group && attributes_->group != now.st_gid)))
    return true;
  const mode_t bits = own ? 07777 : 0777;
  if (keeping_.full_mode && (mode_ & bits) != (now.st_mode & bits)) return true;
  return attributes_ && !has_attributes(dir.fd(), name, own ? &attributes_->acl : nullptr,
                                        attributes_->xattrs, /*exactly=*/own);
}

void Metadata::refresh_file(int fd, const std::string& what, Caveats& caveats) {
  struct stat now {};
  mode_t special = 0;
  if (attributes_) {
    const OwnerKept kept = set_owner(fd, what, caveats);
    set_xattrs(fd, /*clear=*/true, what, caveats);
    set_acl(fd, kAccessAcl, attributes_->acl, what, caveats);
    special = special_bits(kept, caveats);
  }
  if (!keeping_.full_mode) return;
  if (fstat(fd, &now) != 0) throw_file_errno(what + ": stat", errno);
  const mode_t mode = mode_of_new(0777) | (attributes_ ? special : now.st_mode & kSpecialBits);
  if ((now.st_mode & 07777) != mode) set_metadata(fd, &mode, nullptr, what, caveats);
}

mode_t Metadata::set_directory(int fd, const std::string& what, Caveats& caveats) {
  if (!attributes_) return 0;
  const OwnerKept kept = set_owner(fd, what, caveats);
  set_acl(fd, kAccessAcl, attributes_->acl, what, caveats);
  set_acl(fd, kDefaultAcl, attributes_->default_acl, what, caveats);
  return special_bits(kept, caveats);
}

OwnerKept Metadata::set_owner(int fd, const std::string& what, Caveats& caveats) {
  if (keeping_.rights) {
    caveats.insert(attributes_->caveats.begin(), attributes_->caveats.end());
    return zx::set_owner(fd, nullptr, *attributes_, what, caveats);
  }
  struct stat now {};
  if (fstat(fd, &now) != 0 || attributes_->owner != now.st_uid || attributes_->group != now.st_gid)
    caveats.try_emplace(Caveat::Owner, kNoWord);
  return {};
}

void Metadata::set_acl(int fd, const char* kind, const std::string& value, const std::string& what,
                       Caveats& caveats) {
  if (keeping_.rights)
    zx::set_acl(fd, kind, value, what, caveats);
  else if (!value.empty())
    caveats.try_emplace(Caveat::Acl, kNoWord);
}

mode_t Metadata::special_bits(OwnerKept kept, Caveats& caveats) const {
  // With whose rights a program runs is nobody else's choice than its owner's.
  const mode_t bits =
      !keeping_.rights
          ? 0
          : mode_ & ((kept.user ? S_ISUID : 0U) | (kept.group ? S_ISGID : 0U) | S_ISVTX);
  if (bits != (mode_ & kSpecialBits))
    caveats.try_emplace(Caveat::Mode, keeping_.rights ? "set-id bits go with owner and group, "
                                                        "which are others here"
                                                      : kNoWord);
  return bits;
}

void Metadata::set_link_owner(const HeldDir& dir, const std::string& name, Caveats& caveats) {
  if (!attributes_) return;
  if (!keeping_.rights) {
    struct stat now {};
    if (fstatat(dir.fd(), name.c_str(), &now, AT_SYMLINK_NOFOLLOW) == 0 &&
        (attributes_->owner != now.st_uid || attributes_->group != now.st_gid))
      caveats.try_emplace(Caveat::Owner, kNoWord);
    return;
  }
  caveats.insert(attributes_->caveats.begin(), attributes_->caveats.end());
  (void)zx::set_owner(dir.fd(), name.c_str(), *attributes_, dir.describe(name), caveats);
}

}  // namespace zx
