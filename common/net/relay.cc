// SPDX-License-Identifier: MIT
#include "common/net/relay.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/base/io.h"
#include "common/base/wait.h"

namespace zx {
namespace {

constexpr size_t kBufferBytes = 256 << 10;
constexpr std::chrono::milliseconds kLastWords{2000};

// Which of the two is ready: true for fd, false for stop.
bool ready_before(int fd, short events, int stop) {
  return wait_regardless({{fd, events}, {stop}}) == size_t{0};
}

// To the end of what comes, until nothing can be written any more, or until stopped. Does not wait
// for anything but the two: a read finds something, and writes do not block.
void copy(int from, int to, int stop) {
  std::vector<std::byte> buffer(kBufferBytes);
  while (ready_before(from, POLLIN, stop)) {
    const ssize_t got = retry_regardless([&] { return read(from, buffer.data(), buffer.size()); });
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return;
    for (ssize_t done = 0; done < got;) {
      if (!ready_before(to, POLLOUT, stop)) return;
      const ssize_t n = retry_regardless(
          [&] { return write(to, buffer.data() + done, static_cast<size_t>(got - done)); });
      if (n < 0 && errno != EAGAIN) return;
      done += std::max<ssize_t>(n, 0);
    }
  }
}

}  // namespace

Relay::Relay(UniqueFd in, UniqueFd out) : in_(std::move(in)), out_(std::move(out)) {
  // A writer that no longer reads must not hold this program at its end. The flag is of the open
  // file, but the other end of a pipe is another one.
  for (int fd : {out_.get(), sockets_.mine.get()})
    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  reader_ = std::thread([this] {
    copy(in_.get(), sockets_.mine.get(), stop_in_.fd());
    (void)shutdown(sockets_.mine.get(), SHUT_WR);
  });
  writer_ = std::thread([this] {
    copy(sockets_.mine.get(), out_.get(), stop_out_.fd());
    out_ = UniqueFd();  // the end, for the other side
    (void)shutdown(sockets_.mine.get(), SHUT_RD);
    done_out_.set();
  });
}

Relay::~Relay() {
  sockets_.theirs = UniqueFd();
  stop_in_.set();
  reader_.join();
  if (!wait_regardless({{done_out_.fd()}}, Clock::now() + kLastWords)) stop_out_.set();
  writer_.join();
}

}  // namespace zx
