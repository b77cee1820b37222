// SPDX-License-Identifier: MIT
// Whole-length I/O on local files and a checked sum. EINTR is where a stop signal is
// noticed: every loop here calls check_stop() on it, and so may throw Interrupted.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "common/base/stop.h"

namespace zx {

/// EINTR is rare. What fails with it so often in a row (a filter of system calls, a broken driver)
/// does so for ever, and is an error like others. A thread that is stopped is interrupted 50 times
/// a second, and has fewer seconds than that for its last words.
constexpr int kMostInterruptions = 1000;

/// Calls f() until it does not fail with EINTR.
template <typename F>
auto retry_regardless(F&& f) {
  auto result = f();
  for (int times = 0; result < 0 && errno == EINTR && times < kMostInterruptions; ++times)
    result = f();
  return result;
}

/// The same, looking for a stop signal each time.
template <typename F>
auto retry_eintr(F&& f) {
  bool interrupted = false;
  return retry_regardless([&] {
    if (std::exchange(interrupted, true)) check_stop();
    return f();
  });
}

// `uncached`: what was not in the page cache before does not stay there (RWF_DONTCACHE, kernel 6.14
// on), where kernel and file system can. For files that would only push out what others use.

/// Reads up to buffer.size() bytes at offset, fewer only at end of file. Returns the count, or
/// -errno. Blocking.
ssize_t pread_full(int fd, std::span<std::byte> buffer, uint64_t offset, bool uncached = false);

/// Writes all of buffer at offset; 0 or -errno. On failure an unknown part is written. Blocking.
int pwrite_full(int fd, std::span<const std::byte> buffer, uint64_t offset, bool uncached = false);

/// file offset for a system call; offsets on the wire are checked against kMaxFileBytes first.
inline off_t to_off(uint64_t offset) {
  return static_cast<off_t>(offset);
}

/// a + b, or false when that exceeds 2^64-1.
inline bool add_checked(uint64_t a, uint64_t b, uint64_t* sum) {
  return !__builtin_add_overflow(a, b, sum);
}

}  // namespace zx
