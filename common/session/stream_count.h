// SPDX-License-Identifier: MIT
// How many connections a session uses. Pure, but for window_bytes().
#pragma once

#include <chrono>
#include <cstdint>

namespace zx {

struct StreamFacts {
  uint16_t agreed = 0;              // the smaller of both sides' wishes; 0: none has one
  std::chrono::microseconds rtt{};  // of the first connection; 0: not known
  unsigned cores = 1;
  uint64_t total_bytes = 0;   // to send
  uint64_t window_bytes = 0;  // the most one connection can have on its way
  uint64_t rate_limit = 0;    // bytes a second, all connections together; 0: none
};

/// A wish is followed, as far as each connection's share of the rate limit is not below the least
/// there can be. Without one it is 1, unless the round trip is so long that one window cannot
/// fill a fast path: then as many as it takes to fill kAssumedRate or the rate limit, at most
/// kMostByItself, and no more than cores and content are there for.
uint16_t choose_streams(const StreamFacts& facts);

/// Bytes a second (10 Gbit/s): what the path carries is not known before it is tried.
constexpr uint64_t kAssumedRate = 1'250'000'000;
constexpr uint16_t kMostByItself = 8;
/// Below this a further handshake costs more than it brings.
constexpr uint64_t kBytesPerStream = 64 << 20;
/// Shorter round trips are those of one machine or one room.
constexpr std::chrono::microseconds kNearby{1000};

/// The largest send buffer that autotuning gives a connection here (tcp(7), tcp_wmem).
uint64_t window_bytes();

}  // namespace zx
