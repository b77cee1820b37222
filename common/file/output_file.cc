// SPDX-License-Identifier: MIT
#include "common/file/output_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {

void OutputFile::fail_for_size(const char* operation, uint64_t size, int error) const {
  const std::string what =
      describe() + ": " + operation + " for " + std::to_string(size) + " bytes";
  throw_file_errno(what, error);
}

void OutputFile::reserve(int mode, uint64_t size) {
  if (size == 0) return;
  struct statfs fs {};
  if (fstatfs(fd_.get(), &fs) == 0 && fs.f_type == TMPFS_MAGIC) {
    // tmpfs would allocate every page now, 0.35 s a GiB in which nothing moves (measured); what
    // reserving is for elsewhere, contiguous blocks, means nothing in memory.
    struct stat st {};
    const uint64_t held =
        fstat(fd_.get(), &st) == 0 ? static_cast<uint64_t>(st.st_blocks) * 512 : 0;
    const uint64_t more = size > held ? size - held : 0;
    if (fs.f_blocks > 0 && fs.f_bavail < more / static_cast<uint64_t>(fs.f_bsize))
      fail_for_size("reserve space", size, ENOSPC);
    return;
  }
  // The raw call: posix_fallocate(3) of glibc writes zeros where the file system cannot.
  if (retry_eintr([&] { return fallocate(fd_.get(), mode, 0, to_off(size)); }) == 0) return;
  if (errno == EOPNOTSUPP || errno == ENOSYS) return;
  fail_for_size("reserve space", size, errno);
}

void OutputFile::set_length(uint64_t size) {
  if (retry_eintr([&] { return ftruncate(fd_.get(), to_off(size)); }) == 0) return;
  fail_for_size("set length", size, errno);
}

void OutputFile::set_mode_and_time(mode_t mode, const timespec* mtime) {
  if (fchmod(fd_.get(), mode) != 0) throw_file_errno(describe() + ": set mode", errno);
  if (mtime == nullptr) return;
  const timespec times[2] = {{0, UTIME_NOW}, *mtime};
  if (futimens(fd_.get(), times) != 0) throw_file_errno(describe() + ": set times", errno);
}

void OutputFile::sync() {
  // fsync, not fdatasync: mode and times were just set and belong to what is promised. Not repeated
  // on any error, EINTR included.
  if (fsync(fd_.get()) != 0) throw_file_errno(describe() + ": sync to disk", errno);
}

}  // namespace zx
