// SPDX-License-Identifier: MIT
// Spool: an unnamed file that is a window over a stream. It is written at its end, at the stream's
// own offsets, read anywhere in between by whatever can read a file (pread, sendfile, splice), and
// released from the front, so that what it occupies is bounded by what is between. No page is
// written twice: sendfile and splice hand on the pages themselves, and somebody may still hold one
// that was released (on a loopback connection, the reader of the receiver's standard output).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>

#include "common/base/unique_fd.h"

namespace zx {

class Spool {
 public:
  /// In memory (memfd_create(2); it counts as shared memory, also in a control group). Throws
  /// Error{FileIo|NoSpace}.
  static Spool in_memory();
  /// In the directory's file system, mode 0600, without a name (O_TMPFILE): gone with the last
  /// descriptor, whatever happens. Throws Error{FileIo|NoSpace}; not every file system can do it.
  static Spool on_disk(const std::string& directory);

  int fd() const { return fd_.get(); }
  /// The window: released up to begin(), written up to end().
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return end_; }

  /// Appends what `source` has, at most max_bytes (> 0): by splice(2) when it is a pipe, else
  /// through memory. Returns the count, 0 at its end, or -errno. Blocks while the source has
  /// nothing; a stop signal is noticed.
  ssize_t append_from(int source, size_t max_bytes);
  /// Appends all of it; 0 or -errno, after which a part may be there but is not counted.
  int append(std::span<const std::byte> bytes);
  /// Somebody else has written the `bytes` that begin at end(), through fd().
  void appended(uint64_t bytes) { end_ += bytes; }
  /// Gives back what is before `offset` (not more than end()), in whole pages; what is left of a
  /// page goes with the next call. Reading there gives zeros from now on. Best effort: a file
  /// system that cannot keeps the space until the end.
  void release_to(uint64_t offset);

 private:
  explicit Spool(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  bool can_splice_ = true;
  uint64_t begin_ = 0, end_ = 0;
  uint64_t punched_ = 0;  // a multiple of the page size, not more than begin_
};

}  // namespace zx
