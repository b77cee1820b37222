// SPDX-License-Identifier: MIT
// find_limit(): which part was the slow one, by the figures of both sides.
#include "common/session/limit.h"

#include <catch2/catch.hpp>
#include <string>

namespace zx {
namespace {

constexpr uint64_t kSecond = 1'000'000;

TEST_CASE("find_limit: a queue fills before the slow part and runs dry after it") {
  struct {
    const char* what;
    SideFigures sender, receiver;
    const char* part;
    int percent;
  } const rows[] = {
      // moving, waiting, syncing, CPU, busy, looks, backlogs
      {"nothing in the sender's socket, and no CPU used",
       {10 * kSecond, 0, 0, kSecond, kSecond / 2, 20, 0},
       {10 * kSecond, 0, 0, kSecond, 0, 20, 0},
       "source",
       90},
      {"nothing in the sender's socket, the CPU used",
       {10 * kSecond, 0, 0, 9 * kSecond, kSecond, 20, 1},
       {10 * kSecond, 0, 0, 2 * kSecond, 0, 20, 0},
       "sender-cpu",
       90},
      {"a full sender's socket and an empty receiver's",
       {10 * kSecond, 0, 0, kSecond, 10 * kSecond, 20, 20},
       {10 * kSecond, 0, 0, kSecond, 0, 20, 1},
       "network",
       95},
      {"both sockets full, the receiver's CPU used",
       {10 * kSecond, 0, 0, kSecond, 10 * kSecond, 20, 20},
       {10 * kSecond, 0, 0, 8 * kSecond, 0, 20, 20},
       "receiver-cpu",
       80},
      {"both sockets full, the receiver's CPU idle",
       {10 * kSecond, 0, 0, kSecond, 10 * kSecond, 20, 20},
       {10 * kSecond, 0, 0, 2 * kSecond, 0, 20, 20},
       "destination",
       80},
      {"all fits in the sockets, and the sender waits for the receiver",
       {kSecond / 10, 5 * kSecond, 0, kSecond / 10, kSecond / 20, 3, 0},
       {5 * kSecond, 0, 0, kSecond / 2, 0, 3, 3},
       "destination",
       88},
      {"all fits in the sender's socket, and the network takes its time",
       {kSecond / 10, 5 * kSecond, 0, kSecond / 10, kSecond / 20, 3, 0},
       {5 * kSecond, 0, 0, kSecond / 2, 0, 3, 0},
       "network",
       98},
      {"a long round trip keeps bytes on the way, but nothing waits",
       {10 * kSecond, 0, 0, kSecond, 10 * kSecond, 20, 0},
       {10 * kSecond, 0, 0, kSecond, 0, 20, 0},
       "source",
       90},
      {"bursts from a slow source wait for a moment, and then nothing is on its way",
       {10 * kSecond, 0, 0, kSecond, kSecond, 20, 20},
       {10 * kSecond, 0, 0, kSecond, 0, 20, 0},
       "source",
       80},
      {"most of the time went into the sync",
       {kSecond, 0, 0, kSecond / 2, kSecond, 20, 10},
       {kSecond, 0, 4 * kSecond, kSecond / 2, 0, 20, 10},
       "destination",
       80},
      {"the same with one block",
       {kSecond, 0, 0, kSecond / 2, kSecond, 1, 0},
       {kSecond, 0, 4 * kSecond, kSecond / 2, 0, 0, 0},
       "destination",
       80},
      {"nothing stands out",
       {10 * kSecond, 0, 0, 3 * kSecond, 10 * kSecond, 20, 12},
       {10 * kSecond, 0, 0, 3 * kSecond, 0, 20, 10},
       "balanced",
       0},
      {"exactly a half is not more than the other",
       {10 * kSecond, 0, 0, 0, 10 * kSecond, 20, 10},
       {10 * kSecond, 0, 0, 0, 0, 20, 0},
       "balanced",
       0},
      {"one look", {kSecond, 0, 0, 0, 0, 1, 0}, {kSecond, 0, 0, 0, 0, 20, 0}, "unknown", 0},
      {"one look there", {kSecond, 0, 0, 0, 0, 20, 0}, {kSecond, 0, 0, 0, 0, 1, 0}, "unknown", 0},
      {"99 ms", {99'000, 0, 0, 0, 0, 20, 0}, {99'000, 0, 0, 0, 0, 20, 0}, "unknown", 0},
      {"no figures at all", {}, {}, "unknown", 0},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const Limit limit = find_limit(row.sender, row.receiver);
    CHECK(std::string(limit.part) == row.part);
    CHECK(limit.percent == row.percent);
  }
}

TEST_CASE("find_limit: figures of a peer that lies give some answer") {
  const uint64_t most = UINT64_MAX;
  const SideFigures lies{most, most, most, most, most, UINT32_MAX, UINT32_MAX};
  const SideFigures more_than_all{kSecond, 0, 0, most, most, 2, UINT32_MAX};
  for (const SideFigures& sender : {lies, more_than_all, SideFigures{}})
    for (const SideFigures& receiver : {lies, more_than_all, SideFigures{}}) {
      const Limit limit = find_limit(sender, receiver);
      CHECK(limit.percent >= 0);
      CHECK(limit.percent <= 100);
    }
}

TEST_CASE("Stopwatch: counts the CPU time of work and not that of waiting") {
  const Stopwatch watch;
  const timespec nap{0, 50'000'000};
  nanosleep(&nap, nullptr);
  const uint64_t idle_cpu = watch.cpu_us(), idle_wall = watch.wall_us();
  CHECK(idle_wall >= 50'000);
  CHECK(idle_cpu < idle_wall);
  volatile uint64_t sum = 0;
  while (watch.wall_us() < idle_wall + 50'000) sum = sum + 1;
  // Running or ready to run all the time; the clocks differ by little.
  CHECK(watch.cpu_us() - idle_cpu > 30'000);
}

}  // namespace
}  // namespace zx
