// SPDX-License-Identifier: MIT
#include "common/base/io.h"

#include <sys/uio.h>
#include <unistd.h>

namespace zx {
namespace {

// The headers of Debian 12 do not have it.
constexpr int kRwfDontcache = 0x80;

// Unknown to the kernel, or not for this file system.
bool refused(int error) {
  return error == EOPNOTSUPP || error == EINVAL || error == ENOSYS;
}

}  // namespace

ssize_t pread_full(int fd, std::span<std::byte> buffer, uint64_t offset, bool uncached) {
  size_t done = 0;
  while (done < buffer.size()) {
    const iovec piece{buffer.data() + done, buffer.size() - done};
    const off_t at = to_off(offset + done);
    const ssize_t n = retry_eintr([&] {
      return uncached ? preadv2(fd, &piece, 1, at, kRwfDontcache)
                      : pread(fd, piece.iov_base, piece.iov_len, at);
    });
    if (n < 0 && uncached && refused(errno)) {
      uncached = false;
      continue;
    }
    if (n < 0) return -errno;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

int pwrite_full(int fd, std::span<const std::byte> buffer, uint64_t offset, bool uncached) {
  size_t done = 0;
  while (done < buffer.size()) {
    // Not written through iov_base: writev(2) has one type for both directions.
    const iovec piece{const_cast<std::byte*>(buffer.data()) + done, buffer.size() - done};
    const off_t at = to_off(offset + done);
    const ssize_t n = retry_eintr([&] {
      return uncached ? pwritev2(fd, &piece, 1, at, kRwfDontcache)
                      : pwrite(fd, piece.iov_base, piece.iov_len, at);
    });
    if (n < 0 && uncached && refused(errno)) {
      uncached = false;
      continue;
    }
    if (n < 0) return -errno;
    done += static_cast<size_t>(n);
  }
  return 0;
}

}  // namespace zx
