// SPDX-License-Identifier: MIT
#include "common/file/direct_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "common/base/page_buffer.h"

namespace zx {

DirectFile open_direct(int fd, DirectAccess access) {
  DirectFile out;
  const std::string self = "/proc/self/fd/" + std::to_string(fd);
  const int mode = access == DirectAccess::Read ? O_RDONLY : O_WRONLY;
  out.fd = UniqueFd(open(self.c_str(), mode | O_DIRECT | O_CLOEXEC | O_NOCTTY));
  if (!out.fd.valid()) {
    out.error = errno;
    return out;
  }
  out.align = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  struct statx st {};
  if (statx(out.fd.get(), "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_DIOALIGN, &st) != 0 ||
      (st.stx_mask & STATX_DIOALIGN) == 0)
    return out;
  // 0: a kernel that accepts the flag and then goes through the cache all the same. A buffer of
  // more than page alignment (PageBuffer) no known file system wants.
  if (st.stx_dio_offset_align == 0 || st.stx_dio_mem_align > PageBuffer::kPageBytes) {
    out.fd = UniqueFd();
    out.error = EOPNOTSUPP;
    return out;
  }
  out.align = std::max<size_t>(out.align, st.stx_dio_offset_align);
  return out;
}

bool lives_in_memory(int fd) {
  struct stat st {};
  // The file system of a block device is that of its node, in memory; the device is not.
  if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode)) return false;
  struct statfs fs {};
  if (fstatfs(fd, &fs) != 0) return false;
  return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

}  // namespace zx
