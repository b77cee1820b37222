// SPDX-License-Identifier: MIT
#include "common/file/replace.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"

namespace zx {
namespace {

constexpr uint64_t kNoRename = STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND;

// Nothing when it cannot be had: then the rename itself finds out.
struct statx look_at(int dir, const char* name, int flags) {
  struct statx out {};
  if (statx(dir, name, flags | AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_MODE | STATX_UID, &out) != 0)
    return {};
  return out;
}

bool renames_files_of_others() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & 1U << CAP_FOWNER) != 0;
}

}  // namespace

std::string why_not_replaced(const struct statx& dir, const struct statx& file, uid_t user,
                             bool any_owner) {
  if (S_ISDIR(file.stx_mode)) return "is a directory";
  if (file.stx_mode != 0 && !S_ISREG(file.stx_mode) && !S_ISLNK(file.stx_mode))
    return "is a FIFO, a socket or a device; a file does not replace it";
  if ((file.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0)
    return "is a mount point, which cannot be replaced; zrecv --inplace there writes into it";
  if ((file.stx_attributes & STATX_ATTR_IMMUTABLE) != 0)
    return "is immutable, and cannot be replaced before chattr -i";
  if ((file.stx_attributes & STATX_ATTR_APPEND) != 0)
    return "can only be appended to, and cannot be replaced before chattr -a";
  if ((dir.stx_mode & S_ISVTX) != 0 && file.stx_uid != user && dir.stx_uid != user && !any_owner)
    return "belongs to another user, and its directory is sticky: it cannot be replaced, only "
           "written into with zrecv --inplace there, where its mode allows that";
  return "";
}

void check_can_hold_new(const HeldDir& dir) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitStatus::FileIo, quote(dir.path()) + ": " + why);
  };
  if (faccessat(dir.fd(), ".", W_OK | X_OK, AT_EACCESS) != 0 && (errno == EACCES || errno == EROFS))
    throw_file_errno(quote(dir.path()) + ": make files there", errno);
  // Where names are only added nothing can be renamed, and a temporary file not even be removed.
  const uint64_t attributes = look_at(dir.fd(), "", AT_EMPTY_PATH).stx_attributes & kNoRename;
  if ((attributes & STATX_ATTR_IMMUTABLE) != 0)
    refuse("is immutable: no file can be made there before chattr -i");
  if (attributes != 0) refuse("is append-only: no file can be renamed there before chattr -a");
}

void check_can_be_replaced(const HeldDir& dir, const std::string& name) {
  const std::string why =
      why_not_replaced(look_at(dir.fd(), "", AT_EMPTY_PATH), look_at(dir.fd(), name.c_str(), 0),
                       geteuid(), renames_files_of_others());
  if (!why.empty()) throw Error(ExitStatus::FileIo, dir.describe(name) + ": " + why);
}

bool keeps_even_seconds(int fd) {
  struct statfs fs {};
  if (fstatfs(fd, &fs) != 0) return false;
  const auto type = static_cast<uint32_t>(fs.f_type);
  return type == MSDOS_SUPER_MAGIC || type == FUSE_SUPER_MAGIC || type == CIFS_SUPER_MAGIC ||
         type == SMB2_SUPER_MAGIC;
}

}  // namespace zx
