// SPDX-License-Identifier: MIT
// UniqueFd: the one owner of a file descriptor. Does no I/O and knows no protocol.
#pragma once

#include <unistd.h>

#include <utility>

namespace zx {

/// Move-only owner of a descriptor; closes it silently when destroyed. After writes whose errors
/// matter call close() and look at its result (close(2) may report a deferred write error).
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    UniqueFd old(std::exchange(fd_, other.release()));  // self-move: released, then taken back
    return *this;
  }
  UniqueFd(const UniqueFd&) = delete;
  UniqueFd& operator=(const UniqueFd&) = delete;
  ~UniqueFd() { (void)close(); }

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  /// Gives up ownership without closing.
  int release() { return std::exchange(fd_, -1); }
  /// Closes now; 0 or an errno value. Closing an empty owner is 0.
  int close();

 private:
  int fd_ = -1;
};

/// Makes a pipe as large as an unprivileged process may have it (fs.pipe-max-size), or as large as
/// it is let (fs.pipe-user-pages-soft). Returns its size as the kernel says it.
size_t widen_pipe(int fd);

/// Two ends of one thing, close-on-exec. Throw Error{Internal}.
struct Pipe {
  Pipe();
  UniqueFd reading, writing;
};
struct SocketPair {
  SocketPair();
  UniqueFd mine, theirs;
};

}  // namespace zx
