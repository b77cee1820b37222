// SPDX-License-Identifier: MIT
#include "common/base/unique_fd.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"

namespace zx {

int UniqueFd::close() {
  if (fd_ < 0) return 0;
  // Not repeated on EINTR: on Linux the descriptor is gone all the same (close(2), NOTES).
  const int result = ::close(std::exchange(fd_, -1));
  return result == 0 || errno == EINTR ? 0 : errno;
}

size_t widen_pipe(int fd) {
  constexpr int kMostBytes = 1 << 20;
  if (fcntl(fd, F_GETPIPE_SZ) < kMostBytes) (void)fcntl(fd, F_SETPIPE_SZ, kMostBytes);
  return static_cast<size_t>(std::max(fcntl(fd, F_GETPIPE_SZ), 0));
}

Pipe::Pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw_errno(ExitStatus::Internal, "pipe", errno);
  reading = UniqueFd(ends[0]);
  writing = UniqueFd(ends[1]);
}

SocketPair::SocketPair() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno(ExitStatus::Internal, "socketpair", errno);
  mine = UniqueFd(ends[0]);
  theirs = UniqueFd(ends[1]);
}

}  // namespace zx
