// SPDX-License-Identifier: MIT
// The pipe between two splice(2) calls.
#pragma once

#include <cstddef>

#include "common/base/unique_fd.h"

namespace zx {

/// The two ends of a pipe for splice(2), as large as this user may have.
struct SplicePipe {
  UniqueFd read_end, write_end;
  size_t bytes = 0;  // as read back with F_GETPIPE_SZ; 0 when there is no pipe
};
SplicePipe make_splice_pipe();

}  // namespace zx
