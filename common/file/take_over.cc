// SPDX-License-Identifier: MIT
#include "common/file/take_over.h"

#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/file/attributes.h"
#include "common/file/space.h"

namespace zx {
namespace {

// Of a name in a directory, "." for itself. Empty and no errno when there is none. By a path, since
// a file may have an ACL that keeps this user from opening it; the last component is not followed.
std::string read_acl(const HeldDir& dir, const std::string& name, const char* kind) {
  const std::string path = "/proc/self/fd/" + std::to_string(dir.fd()) + "/" + name;
  std::string acl;
  ssize_t n = lgetxattr(path.c_str(), kind, nullptr, 0);
  if (n > 0) {
    acl.resize(static_cast<size_t>(n));
    n = lgetxattr(path.c_str(), kind, acl.data(), acl.size());
  }
  acl.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
  if (n >= 0 || errno == ENODATA || is_unsupported(errno)) errno = 0;
  return acl;
}

mode_t current_umask() {
  const mode_t mask = umask(077);
  umask(mask);
  return mask;
}

// A name that somebody else has put into a directory that is everybody's, before this one came,
// does not say whose its content will be (as the kernel has it: fs.protected_regular).
bool is_planted(const struct stat& old, const HeldDir& dir) {
  struct stat folder {};
  return fstat(dir.fd(), &folder) != 0 ||
         ((folder.st_mode & S_ISVTX) != 0 && (folder.st_mode & (S_IWGRP | S_IWOTH)) != 0 &&
          old.st_uid != folder.st_uid);
}

// What was granted to one group, or by an ACL, is for no other: only what everybody may stays.
mode_t without_group(mode_t mode) {
  return (mode & 0707) | ((mode & 07) << 3);
}

}  // namespace

std::optional<mode_t> take_over(int fd, const HeldDir& dir, const std::string& name,
                                const struct stat& old, Caveats& caveats) {
  const std::string what = dir.describe(name);
  mode_t mode = old.st_mode & 0777;
  struct stat mine {};
  if (fstat(fd, &mine) != 0) throw_file_errno(what + ": look at the temporary file", errno);
  const bool own = mine.st_uid == old.st_uid;
  if (!own && is_planted(old, dir)) {
    caveats.try_emplace(Caveat::Owner, "it was another user's, in a sticky directory");
    return std::nullopt;
  }
  if ((!own || mine.st_gid != old.st_gid) &&
      fchown(fd, own ? static_cast<uid_t>(-1) : old.st_uid, old.st_gid) != 0) {
    caveat_or_throw(Caveat::Owner, what + ": set the owner", errno, caveats);
    if (!own) return std::nullopt;
    mode = without_group(mode);
  }
  const std::string acl = read_acl(dir, name, kAccessAcl);
  int error = errno;
  // Without one: what the new file has got by a default ACL of the directory does not stay.
  if (error == 0 && acl.empty() && fremovexattr(fd, kAccessAcl) != 0 && errno != ENODATA &&
      !is_unsupported(errno))
    error = errno;
  if (error == 0 && !acl.empty() && fsetxattr(fd, kAccessAcl, acl.data(), acl.size(), 0) != 0)
    error = errno;
  if (error == 0) return mode;
  caveat_or_throw(Caveat::Acl, what + ": set the ACL", error == ENOENT ? EPERM : error, caveats);
  return without_group(mode);
}

mode_t most_bits_of_new(const HeldDir& dir) {
  static const mode_t mask = current_umask();
  const std::string acl = read_acl(dir, ".", kDefaultAcl);
  if (acl.empty()) return 0777 & ~mask;
  // The new file has got the named entries when it was made; owner, mask (without one: group) and
  // others make the mode.
  const AclBase base = base_of_acl(acl);
  return base.owner << 6 | base.mask.value_or(base.group) << 3 | base.other;
}

}  // namespace zx
