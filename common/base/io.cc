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

ssize_t pread_full(int fd, std::span<std::byte> buffer, uint64_t offset) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = retry_eintr([&] {
      return pread(fd, buffer.data() + done, buffer.size() - done, to_off(offset + done));
    });
    if (n < 0) return -errno;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

int pwrite_full(int fd, std::span<const std::byte> buffer, uint64_t offset) {
  size_t done = 0;
  while (done < buffer.size()) {
    const ssize_t n = retry_eintr([&] {
      return pwrite(fd, buffer.data() + done, buffer.size() - done, to_off(offset + done));
    });
    if (n < 0) return -errno;
    done += static_cast<size_t>(n);
  }
  return 0;
}

ssize_t pread_uncached(int fd, std::span<std::byte> buffer, uint64_t offset) {
  size_t done = 0;
  while (done < buffer.size()) {
    const iovec piece{buffer.data() + done, buffer.size() - done};
    const ssize_t n =
        retry_eintr([&] { return preadv2(fd, &piece, 1, to_off(offset + done), kRwfDontcache); });
    if (n < 0 && refused(errno)) {
      const ssize_t rest = pread_full(fd, buffer.subspan(done), offset + done);
      return rest < 0 ? rest : static_cast<ssize_t>(done) + rest;
    }
    if (n < 0) return -errno;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

int pwrite_uncached(int fd, std::span<const std::byte> buffer, uint64_t offset) {
  size_t done = 0;
  while (done < buffer.size()) {
    // Not written through iov_base: writev(2) has one type for both directions.
    const iovec piece{const_cast<std::byte*>(buffer.data()) + done, buffer.size() - done};
    const ssize_t n =
        retry_eintr([&] { return pwritev2(fd, &piece, 1, to_off(offset + done), kRwfDontcache); });
    if (n < 0 && refused(errno)) return pwrite_full(fd, buffer.subspan(done), offset + done);
    if (n < 0) return -errno;
    done += static_cast<size_t>(n);
  }
  return 0;
}

}  // namespace zx
