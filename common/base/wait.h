// SPDX-License-Identifier: MIT
// The one wait: for descriptors, for a condition, or for a moment. On every thread it ends at once
// by a stop signal (Interrupted), and soon by the flag of a CancelScope (Cancelled).
#pragma once

#include <poll.h>

#include <chrono>
#include <condition_variable>
#include <initializer_list>
#include <mutex>
#include <optional>
#include <span>

#include "common/base/error.h"

namespace zx {

using Clock = std::chrono::steady_clock;

struct Watched {
  int fd = -1;  // -1 is passed over
  short events = POLLIN;
};

/// The index of the first descriptor that is ready, or has ended or failed; nothing at the
/// deadline. What is ready goes before a stop: a last message can be sent after one.
std::optional<size_t> wait_any(std::span<const Watched> fds, Clock::time_point deadline);
std::optional<size_t> wait_any(std::initializer_list<Watched> fds, Clock::time_point deadline);
/// The same, but goes on whatever signal comes: for ends that are bounded, and for threads that are
/// stopped by a descriptor.
std::optional<size_t> wait_regardless(std::initializer_list<Watched> fds,
                                      Clock::time_point deadline = Clock::time_point::max());

void pause_for(Clock::duration time);

/// Until it is notified, but not long: the caller looks again and again.
void wait_a_moment(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                   Clock::time_point deadline = Clock::time_point::max());

/// Until done() is true; false when it is not at the deadline. The lock is held when it throws,
/// too.
template <typename Predicate>
bool wait_for_change(std::condition_variable& changed, std::unique_lock<std::mutex>& lock,
                     Clock::time_point deadline, Predicate done) {
  while (!done()) {
    if (Clock::now() >= deadline) return false;
    wait_a_moment(changed, lock, deadline);
  }
  return true;
}

/// Between two attempts to connect.
constexpr std::chrono::milliseconds kRetryPause{200};

/// Calls attempt() until it returns, with that pause. Throws its Error when another attempt cannot
/// cure it, or would be after give_up.
template <typename Attempt, typename Curable>
auto retry_until(Clock::time_point give_up, Attempt attempt, Curable curable) {
  for (;;) {
    try {
      return attempt();
    } catch (const Error& error) {
      if (!curable(error) || Clock::now() + kRetryPause >= give_up) throw;
    }
    pause_for(kRetryPause);
  }
}

}  // namespace zx
