// SPDX-License-Identifier: MIT
#include "common/base/io.h"

#include <unistd.h>

namespace zx {

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

}  // namespace zx
