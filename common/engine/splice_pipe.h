// SPDX-License-Identifier: MIT
// The pipe between two splice(2) calls.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>

#include "common/base/unique_fd.h"

namespace zx {

/// The two ends of a pipe for splice(2), as large as this user may have.
struct SplicePipe {
  UniqueFd read_end, write_end;
  size_t bytes = 0;  // as read back with F_GETPIPE_SZ; 0 when there is no pipe
};

inline SplicePipe make_splice_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  return {UniqueFd(ends[0]), UniqueFd(ends[1]), widen_pipe(ends[1])};
}

}  // namespace zx
