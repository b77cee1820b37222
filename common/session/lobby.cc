// SPDX-License-Identifier: MIT
#include "common/session/lobby.h"

#include <poll.h>

#include "common/base/stop.h"

namespace zx {
namespace {

// Connections that have not said anything yet; the oldest goes first.
constexpr size_t kMaxWaiting = 32;
// A waiting thread looks for a stop signal, and for its own time, so often.
constexpr std::chrono::milliseconds kSlice{100};

}  // namespace

std::optional<Socket> Lobby::next(Listener& listener, Clock::time_point give_up,
                                  std::chrono::seconds idle, int other) {
  while (Clock::now() < give_up) {
    check_stop();
    // poll passes over a negative descriptor.
    std::vector<pollfd> fds{{listener.fd(), POLLIN, 0}, {other, POLLIN, 0}};
    for (const Socket& s : silent_) fds.push_back({s.fd(), POLLIN, 0});
    (void)poll(fds.data(), fds.size(), static_cast<int>(kSlice.count()));
    for (size_t i = 0; i < silent_.size(); ++i) {
      if (fds[i + 2].revents == 0) continue;
      Socket speaks = std::move(silent_[i]);
      silent_.erase(silent_.begin() + static_cast<std::ptrdiff_t>(i));
      return speaks;
    }
    if (fds[1].revents != 0) return std::nullopt;
    if (fds[0].revents == 0) continue;
    if (auto socket = listener.accept(give_up, idle)) silent_.push_back(std::move(*socket));
    if (silent_.size() > kMaxWaiting) silent_.erase(silent_.begin());
  }
  return std::nullopt;
}

}  // namespace zx
