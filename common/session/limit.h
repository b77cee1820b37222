// SPDX-License-Identifier: MIT
// Which part held a transfer up: source, sender's CPU, network, receiver's CPU or destination.
// Found from counters that cost next to nothing: what is in the sockets' queues, looked at once a
// block, and the CPU time of the thread that moves the data. A queue fills before a slow part and
// runs dry after it.
#pragma once

#include <chrono>
#include <cstdint>

#include "common/wire/message.h"

namespace zx {

struct Limit {
  // "source", "sender-cpu", "network", "receiver-cpu" or "destination": more than half of the time
  // went there. "balanced": nowhere so much. "unknown": too short to tell.
  const char* part = "unknown";
  int percent = 0;  // of the time; 0 when there is no one part
};

/// Pure. The figures of one side are the peer's word: whatever they are, there is an answer.
Limit find_limit(const SideFigures& sender, const SideFigures& receiver);

/// Wall and CPU time of the calling thread since it was made, both in microseconds.
class Stopwatch {
 public:
  Stopwatch();
  uint64_t wall_us() const;
  /// On a CPU or waiting for one.
  uint64_t cpu_us() const;

 private:
  std::chrono::steady_clock::time_point begun_;
  uint64_t cpu_begun_us_;
};

}  // namespace zx
