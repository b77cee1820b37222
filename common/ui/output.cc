// SPDX-License-Identifier: MIT
#include "common/ui/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <string_view>

#include "common/base/io.h"
#include "common/base/stop.h"
#include "common/base/wait.h"

namespace zx {
namespace {

// For a reader that takes nothing, when a stop signal has come.
constexpr std::chrono::milliseconds kGrace{500};
constexpr std::chrono::milliseconds kMeanwhile{50};

ssize_t write_some(int fd, std::string_view text) {
  return retry_regardless([&] { return ::write(fd, text.data(), text.size()); });
}

}  // namespace

void Output::write(std::string text, const std::function<void()>& meanwhile) {
  text.insert(0, rest_);
  rest_.clear();
  std::string_view left = text;
  while (wanted() && error_ == 0 && !left.empty()) {
    const bool stopped = stop_requested();
    const auto ready =
        stopped ? wait_regardless({{fd_, POLLOUT}}, Clock::now() + kGrace)
                : wait_regardless({{fd_, POLLOUT}, {stop_fd()}}, Clock::now() + kMeanwhile);
    if (!ready && stopped) error_ = ETIMEDOUT;
    if (!ready && meanwhile) meanwhile();
    if (ready != size_t{0}) continue;
    // A pipe that polls writable takes so much without waiting (pipe(7)).
    const ssize_t n = write_some(fd_, left.substr(0, PIPE_BUF));
    if (n >= 0)
      left.remove_prefix(static_cast<size_t>(n));
    else if (errno != EAGAIN)
      error_ = errno;
  }
}

bool Output::offer(const std::string& text) {
  if (!wanted() || error_ != 0 || !rest_.empty()) return false;
  if (!wait_regardless({{fd_, POLLOUT}}, Clock::now())) return false;
  const ssize_t n = write_some(fd_, text);
  if (n >= 0)
    rest_ = text.substr(static_cast<size_t>(n));
  else if (errno != EAGAIN)
    error_ = errno;
  return n >= 0;
}

int Output::end() {
  if (!wanted()) return 0;
  write({});
  const int other = fcntl(fd_, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  if (other >= 0 && close(other) != 0 && errno != EINTR && error_ == 0) error_ = errno;
  return error_;
}

}  // namespace zx
