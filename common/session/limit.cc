// SPDX-License-Identifier: MIT
#include "common/session/limit.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "common/base/unique_fd.h"

namespace zx {
namespace {

// Less says more about start and end than about what is between.
constexpr double kShortestUs = 100'000;
constexpr uint32_t kFewestLooks = 2;

double share(double part, double whole) {
  return whole > 0 ? std::min(part / whole, 1.0) : 0;
}

uint64_t thread_cpu_us() {
  // Time on the CPU, then time in the queue for it, in nanoseconds (proc-schedstats). A thread that
  // others keep from the CPU is held up by the CPU all the same.
  const UniqueFd file(open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC));
  std::array<char, 128> text{};
  unsigned long long on = 0, queued = 0;
  if (file.valid() && read(file.get(), text.data(), text.size() - 1) > 0 &&
      std::sscanf(text.data(), "%llu %llu", &on, &queued) == 2)
    return (on + queued) / 1000;
  timespec used{};
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(used.tv_nsec) / 1000;
}

}  // namespace

Limit find_limit(const SideFigures& sender, const SideFigures& receiver) {
  const auto moving = static_cast<double>(sender.moving_us);
  const auto synced = static_cast<double>(receiver.syncing_us);
  const double total = moving + static_cast<double>(sender.waiting_us) + synced;
  // Most of the time synced: that needs no looks at queues.
  const bool few = std::min(sender.looks, receiver.looks) < kFewestLooks && synced < total / 2;
  if (total < kShortestUs || few) return {};

  // What the sender had no backlog in its socket for is its own time. A backlog that was seen says
  // nothing about the time in which there was nothing on the way at all.
  const double handed_over = std::min(share(sender.backlogs, sender.looks),
                                      share(static_cast<double>(sender.busy_us), moving));
  const double own = moving * (1 - handed_over);
  // The rest is the receiver's where its socket was full of what it had not read yet.
  const double beyond = total - own - synced;
  const double there = beyond * share(receiver.backlogs, receiver.looks);
  const double sender_cpu = std::min(own, static_cast<double>(sender.cpu_us));
  const double receiver_cpu = std::min(there, static_cast<double>(receiver.cpu_us));

  struct {
    const char* name;
    double us;
  } const parts[] = {{"source", own - sender_cpu},
                     {"sender-cpu", sender_cpu},
                     {"network", beyond - there},
                     {"receiver-cpu", receiver_cpu},
                     {"destination", there - receiver_cpu + synced}};
  for (const auto& part : parts)
    if (part.us > total / 2) return {part.name, static_cast<int>(100 * part.us / total + 0.5)};
  return {"balanced", 0};
}

Stopwatch::Stopwatch() : begun_(std::chrono::steady_clock::now()), cpu_begun_us_(thread_cpu_us()) {}

uint64_t Stopwatch::wall_us() const {
  const auto time = std::chrono::steady_clock::now() - begun_;
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

uint64_t Stopwatch::cpu_us() const {
  return thread_cpu_us() - cpu_begun_us_;
}

}  // namespace zx
