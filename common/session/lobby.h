// SPDX-License-Identifier: MIT
// Lobby: who has connected to a listener that strangers can reach, and has not spoken yet. A peer
// of this protocol that connects speaks first, and at once; who is silent costs nobody else any
// time. One thread at a time.
#pragma once

#include <optional>
#include <vector>

#include "common/net/tcp.h"

namespace zx {

/// How long somebody who reaches such a listener may take to prove to be the peer: the handshake of
/// a link with half a second of delay fits.
constexpr std::chrono::seconds kStrangerLimit{3};

class Lobby {
 public:
  /// The next connection that has spoken, or ended. Nothing when none has by give_up, or as soon as
  /// the descriptor `other` is readable (-1: none). Throws Error{Network}.
  std::optional<Socket> next(Listener& listener, Clock::time_point give_up,
                             std::chrono::seconds idle, int other = -1);

 private:
  std::vector<Socket> silent_;
};

}  // namespace zx
