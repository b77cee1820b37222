// SPDX-License-Identifier: MIT
#include "common/file/block_device.h"

#include <linux/fs.h>
#include <sys/ioctl.h>

namespace zx {

std::optional<uint64_t> block_device_bytes(int fd) {
  uint64_t bytes = 0;  // what BLKGETSIZE64 writes, whatever the size_t in its definition is
  if (ioctl(fd, BLKGETSIZE64, &bytes) != 0) return std::nullopt;
  return bytes;
}

}  // namespace zx
