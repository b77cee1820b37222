// SPDX-License-Identifier: MIT
#include "common/file/space.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {
namespace {

[[noreturn]] void fail(const std::string& what, const char* operation, uint64_t size, int error) {
  throw_file_errno(what + ": " + operation + " for " + std::to_string(size) + " bytes", error);
}

}  // namespace

void reserve_space(int fd, uint64_t size, const std::string& what, KeepLength keep) {
  constexpr const char* kOperation = "reserve space";
  if (size == 0) return;
  struct statfs fs {};
  if (fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
    // tmpfs would allocate every page now, 0.35 s a GiB in which nothing moves (measured); what
    // reserving is for elsewhere, contiguous blocks, means nothing in memory.
    const bool full = fs.f_blocks > 0 && fs.f_bavail < size / static_cast<uint64_t>(fs.f_bsize);
    if (full) fail(what, kOperation, size, ENOSPC);
    return;
  }
  // The raw call: posix_fallocate(3) of glibc writes zeros where the file system cannot.
  const int mode = keep == KeepLength::Yes ? FALLOC_FL_KEEP_SIZE : 0;
  if (retry_eintr([&] { return fallocate(fd, mode, 0, to_off(size)); }) == 0) return;
  // Whatever else it says, the writes will say it too, if it is true.
  if (file_status_of_errno(errno) != ExitStatus::FileIo) fail(what, kOperation, size, errno);
}

void set_length(int fd, uint64_t size, const std::string& what) {
  struct stat now {};
  if (fstat(fd, &now) == 0 && static_cast<uint64_t>(now.st_size) == size) return;
  if (retry_eintr([&] { return ftruncate(fd, to_off(size)); }) != 0)
    fail(what, "set length", size, errno);
}

void caveat_or_throw(Caveat caveat, const std::string& what, int error, Caveats& caveats) {
  // A directory that may be written to but not read is open with O_PATH.
  if (error == EBADF) error = EACCES;
  if (!is_unsupported(error) && !is_denied(error)) throw_file_errno(what, error);
  caveats.try_emplace(caveat, errno_text(error));
}

void set_metadata(int fd, const mode_t* mode, const timespec* mtime, const std::string& what,
                  Caveats& caveats) {
  if (mode != nullptr && fchmod(fd, *mode) != 0)
    caveat_or_throw(Caveat::Mode, what + ": set mode", errno, caveats);
  if (mtime == nullptr) return;
  const timespec times[2] = {{0, UTIME_NOW}, *mtime};
  if (futimens(fd, times) != 0)
    caveat_or_throw(Caveat::Times, what + ": set times", errno, caveats);
}

void sync_to_disk(int fd, const std::string& what, Caveats& caveats, bool whole) {
  // fsync, not fdatasync: mode and times were just set and belong to what is promised. Not repeated
  // on any error, EINTR included.
  if ((whole ? syncfs(fd) : fsync(fd)) == 0) return;
  caveat_or_throw(Caveat::Sync, what, errno, caveats);
}

std::optional<uint64_t> block_device_bytes(int fd) {
  uint64_t bytes = 0;  // what BLKGETSIZE64 writes, whatever the size_t in its definition is
  if (ioctl(fd, BLKGETSIZE64, &bytes) != 0) return std::nullopt;
  return bytes;
}

}  // namespace zx
