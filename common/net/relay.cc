// SPDX-License-Identifier: MIT
#include "common/net/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <vector>

#include "common/base/error.h"

namespace zx {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr int kLastWordsMs = 2000;

// Which of the two is ready: true for fd, false for stop (or an error).
bool ready_before(int fd, short events, int stop) {
  std::array<pollfd, 2> fds{{{fd, events, 0}, {stop, POLLIN, 0}}};
  while (poll(fds.data(), fds.size(), -1) < 0)
    if (errno != EINTR) return false;
  return fds[0].revents != 0;
}

// Non-blocking writes to the end. False when that is no longer possible, or stopped.
bool write_out(int fd, const std::byte* data, size_t size, int stop, bool socket) {
  while (size > 0) {
    const ssize_t n =
        socket ? send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT) : write(fd, data, size);
    if (n > 0) {
      data += n;
      size -= static_cast<size_t>(n);
    } else if (n < 0 && errno == EAGAIN) {
      if (!ready_before(fd, POLLOUT, stop)) return false;
    } else if (n < 0 && errno != EINTR) {
      return false;
    }
  }
  return true;
}

}  // namespace

Relay::Relay(UniqueFd in, UniqueFd out) : in_(std::move(in)), out_(std::move(out)) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    throw_errno(ExitStatus::Internal, "socketpair", errno);
  mine_ = UniqueFd(pair[0]);
  theirs_ = UniqueFd(pair[1]);
  // A writer that no longer reads must not hold this program at its end. The flag is of the open
  // file, but the other end of a pipe is another one.
  (void)fcntl(out_.get(), F_SETFL, fcntl(out_.get(), F_GETFL) | O_NONBLOCK);
  reader_ = std::thread([this] { copy_in(); });
  writer_ = std::thread([this] { copy_out(); });
}

Relay::~Relay() {
  theirs_ = UniqueFd();
  stop_in_.set();
  reader_.join();
  pollfd p{done_out_.fd(), POLLIN, 0};
  if (poll(&p, 1, kLastWordsMs) <= 0) stop_out_.set();
  writer_.join();
}

void Relay::copy_in() {
  std::vector<std::byte> buffer(kBufferBytes);
  while (ready_before(in_.get(), POLLIN, stop_in_.fd())) {
    const ssize_t n = read(in_.get(), buffer.data(), buffer.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    if (!write_out(mine_.get(), buffer.data(), static_cast<size_t>(n), stop_in_.fd(), true)) break;
  }
  (void)shutdown(mine_.get(), SHUT_WR);
}

void Relay::copy_out() {
  std::vector<std::byte> buffer(kBufferBytes);
  for (;;) {
    if (!ready_before(mine_.get(), POLLIN, stop_out_.fd())) break;
    const ssize_t n = recv(mine_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (n <= 0) break;
    if (!write_out(out_.get(), buffer.data(), static_cast<size_t>(n), stop_out_.fd(), false)) break;
  }
  out_ = UniqueFd();  // the end, for the other side
  (void)shutdown(mine_.get(), SHUT_RD);
  done_out_.set();
}

}  // namespace zx
