// SPDX-License-Identifier: MIT
#include "common/base/wait.h"

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/base/io.h"
#include "common/base/stop.h"

namespace zx {
namespace {

using std::chrono::milliseconds;

// Interval between checks for what no descriptor tells: the flag of a CancelScope, and for a thread
// that waits for a condition the stop signal as well.
constexpr milliseconds kSlice{100};
// poll(2) takes an int of milliseconds.
constexpr milliseconds kLongest = std::chrono::hours(1);

std::optional<size_t> wait(std::span<const Watched> fds, Clock::time_point deadline, bool stops) {
  thread_local std::vector<pollfd> polled;  // kept: this is called for every frame
  polled.clear();
  for (const Watched& w : fds) polled.push_back({w.fd, w.events, 0});
  polled.push_back({stops ? stop_fd() : -1, POLLIN, 0});
  const milliseconds most = stops && in_cancel_scope() ? kSlice : kLongest;
  for (int interrupted = 0;;) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - std::min(Clock::now(), deadline));
    const int n =
        poll(polled.data(), polled.size(), static_cast<int>(std::min(left, most).count()));
    if (n < 0 && (errno != EINTR || ++interrupted > kMostInterruptions))
      throw_errno(ExitStatus::Internal, "poll", errno);
    for (size_t i = 0; n > 0 && i < fds.size(); ++i)
      if (polled[i].revents != 0) return i;
    if (Clock::now() >= deadline) return std::nullopt;
    if (stops) check_stop();
  }
}

}  // namespace

std::optional<size_t> wait_any(std::span<const Watched> fds, Clock::time_point deadline) {
  return wait(fds, deadline, /*stops=*/true);
}

std::optional<size_t> wait_any(std::initializer_list<Watched> fds, Clock::time_point deadline) {
  return wait({fds.begin(), fds.size()}, deadline, /*stops=*/true);
}

std::optional<size_t> wait_regardless(std::initializer_list<Watched> fds,
                                      Clock::time_point deadline) {
  return wait({fds.begin(), fds.size()}, deadline, /*stops=*/false);
}

void pause_for(Clock::duration time) {
  (void)wait_any({}, Clock::now() + time);
}

void wait_a_moment(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                   Clock::time_point deadline) {
  (void)changed.wait_until(lock, std::min(deadline, Clock::now() + kSlice));
  check_stop();
}

}  // namespace zx
