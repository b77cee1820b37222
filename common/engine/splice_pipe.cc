// SPDX-License-Identifier: MIT
#include "common/engine/splice_pipe.h"

#include <fcntl.h>
#include <unistd.h>

namespace zx {
namespace {

// The largest pipe an unprivileged process may have (fs.pipe-max-size).
constexpr int kPipeBytes = 1 << 20;

}  // namespace

SplicePipe make_splice_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  SplicePipe out{UniqueFd(ends[0]), UniqueFd(ends[1]), 0};
  // May be refused (fs.pipe-user-pages-soft); the default size then stays, or 8 KiB: read it back.
  (void)fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  const int bytes = fcntl(ends[1], F_GETPIPE_SZ);
  out.bytes = bytes > 0 ? static_cast<size_t>(bytes) : 0;
  return out;
}

}  // namespace zx
