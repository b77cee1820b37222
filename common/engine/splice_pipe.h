// SPDX-License-Identifier: MIT
// The pipe between two splice(2) calls.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

#include "common/base/unique_fd.h"

namespace zx {

/// The two ends of a pipe for splice(2), as large as this user may have.
struct SplicePipe {
  UniqueFd read_end, write_end;
  size_t bytes = 0;  // as read back with F_GETPIPE_SZ; 0 when there is no pipe
};

inline SplicePipe make_splice_pipe() {
  constexpr int kMostBytes = 1 << 20;  // of an unprivileged process (fs.pipe-max-size)
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  // May be refused (fs.pipe-user-pages-soft); the default size then stays, or 8 KiB: read it back.
  (void)fcntl(ends[1], F_SETPIPE_SZ, kMostBytes);
  const int bytes = fcntl(ends[1], F_GETPIPE_SZ);
  return {UniqueFd(ends[0]), UniqueFd(ends[1]), static_cast<size_t>(std::max(bytes, 0))};
}

}  // namespace zx
