// SPDX-License-Identifier: MIT
#include "common/base/unique_fd.h"

#include <cerrno>

namespace zx {

int UniqueFd::close() {
  if (fd_ < 0) return 0;
  // Not repeated on EINTR: on Linux the descriptor is gone all the same (close(2), NOTES).
  const int result = ::close(std::exchange(fd_, -1));
  return result == 0 || errno == EINTR ? 0 : errno;
}

}  // namespace zx
