// SPDX-License-Identifier: MIT
// What several streams share: how many there are, the queue of blocks, the ranges that have come.
#include <poll.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <thread>

#include "common/session/stream_count.h"
#include "zrecv/covered_ranges.h"
#include "zsend/block_queue.h"

namespace zx {
namespace {

constexpr uint64_t kMiB = 1 << 20, kGiB = 1 << 30;

TEST_CASE("choose_streams: the table") {
  struct {
    const char* name;
    uint16_t agreed;
    int64_t rtt_us;
    unsigned cores;
    uint64_t total, window;
    uint16_t count;
    uint64_t rate = 0;
  } const rows[] = {
      {"a wish is followed", 5, 0, 1, 0, 4 * kMiB, 5},
      {"a wish of 1 on a long path", 1, 100'000, 8, 100 * kGiB, 4 * kMiB, 1},
      {"a wish on one machine", 16, 30, 2, 1, 4 * kMiB, 16},
      {"loopback", 0, 30, 64, 100 * kGiB, 4 * kMiB, 1},
      {"one room", 0, 999, 64, 100 * kGiB, 4 * kMiB, 1},
      {"the round trip is not known", 0, 0, 64, 100 * kGiB, 4 * kMiB, 1},
      {"one window is enough", 0, 3'000, 8, 100 * kGiB, 4 * kMiB, 1},
      {"10 ms: 12.5 MB on their way", 0, 10'000, 8, 100 * kGiB, 4 * kMiB, 3},
      {"a larger window needs fewer", 0, 10'000, 8, 100 * kGiB, 64 * kMiB, 1},
      {"100 ms: no more than 8", 0, 100'000, 64, 100 * kGiB, 4 * kMiB, 8},
      {"two for each core", 0, 100'000, 2, 100 * kGiB, 4 * kMiB, 4},
      {"one core", 0, 100'000, 1, 100 * kGiB, 4 * kMiB, 2},
      {"cores not known", 0, 100'000, 0, 100 * kGiB, 4 * kMiB, 1},
      {"64 MiB for each", 0, 100'000, 64, 200 * kMiB, 4 * kMiB, 3},
      {"little content", 0, 100'000, 64, 63 * kMiB, 4 * kMiB, 1},
      {"no window", 0, 100'000, 64, 100 * kGiB, 0, 8},
      {"100 ms at 50 MB/s: 5 MB on their way", 0, 100'000, 64, 100 * kGiB, 4 * kMiB, 2, 50'000'000},
      {"100 ms at 1 MB/s", 0, 100'000, 64, 100 * kGiB, 4 * kMiB, 1, 1'000'000},
      {"a limit above what is assumed", 0, 10'000, 8, 100 * kGiB, 4 * kMiB, 3, uint64_t{1} << 40},
      {"a wish with 4 KiB a second", 16, 30, 2, 1, 4 * kMiB, 4, 4 << 10},
      {"a wish with less than the least", 16, 30, 2, 1, 4 * kMiB, 1, 1000},
      {"a wish with a limit", 5, 30, 2, 1, 4 * kMiB, 5, 50'000'000},
  };
  for (const auto& row : rows) {
    INFO(row.name);
    CHECK(choose_streams({row.agreed, std::chrono::microseconds(row.rtt_us), row.cores, row.total,
                          row.window, row.rate}) == row.count);
  }
}

TEST_CASE("window_bytes: what the kernel says") {
  CHECK(window_bytes() >= 4096);
}

// --- CoveredRanges

TEST_CASE("CoveredRanges: in order there is one range") {
  CoveredRanges r;
  CHECK(r.contiguous_end() == 0);
  CHECK(r.add(0, 10));
  CHECK(r.add(10, 11));
  CHECK(r.contiguous_end() == 11);
  CHECK(r.count() == 1);
}

TEST_CASE("CoveredRanges: gaps close from any side") {
  CoveredRanges r;
  CHECK(r.add(20, 30));
  CHECK(r.contiguous_end() == 0);
  CHECK(r.add(0, 10));
  CHECK(r.contiguous_end() == 10);
  CHECK(r.count() == 2);
  CHECK(r.add(10, 20));
  CHECK(r.contiguous_end() == 30);
  CHECK(r.count() == 1);
}

TEST_CASE("CoveredRanges: what overlaps changes nothing") {
  CoveredRanges r;
  REQUIRE(r.add(10, 20));
  for (const auto& [begin, end] : {std::pair<uint64_t, uint64_t>{10, 20},
                                   {9, 11},
                                   {19, 21},
                                   {12, 15},
                                   {0, 30},
                                   {10, 11},
                                   {19, 20},
                                   {5, 5},
                                   {15, 15},
                                   {7, 6}}) {
    INFO(begin << " to " << end);
    CHECK_FALSE(r.add(begin, end));
  }
  CHECK(r.count() == 1);
  CHECK(r.add(0, 10));
  CHECK(r.add(20, UINT64_MAX));
  CHECK(r.contiguous_end() == UINT64_MAX);
}

TEST_CASE("CoveredRanges: what is taken out can come again") {
  CoveredRanges r;
  REQUIRE(r.add(0, 30));
  r.remove(10, 20);
  CHECK(r.contiguous_end() == 10);
  CHECK(r.count() == 2);
  CHECK_FALSE(r.add(9, 20));
  CHECK(r.add(10, 20));
  r.remove(0, 10);
  CHECK(r.contiguous_end() == 0);
  r.remove(20, 30);
  CHECK(r.add(0, 10));
  CHECK(r.contiguous_end() == 20);
}

TEST_CASE("CoveredRanges: the same as a list of bytes") {
  std::mt19937 random(7);
  constexpr uint64_t kSize = 60;
  for (int round = 0; round < 200; ++round) {
    CoveredRanges r;
    std::vector<bool> bytes(kSize);
    for (int step = 0; step < 60; ++step) {
      uint64_t a = random() % kSize, b = random() % kSize;
      if (a > b) std::swap(a, b);
      const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(a);
      const auto last = bytes.begin() + static_cast<std::ptrdiff_t>(b);
      const bool is_free = a < b && std::none_of(first, last, [](bool x) { return x; });
      const bool covered = a < b && std::all_of(first, last, [](bool x) { return x; });
      if (covered && step % 3 == 0) {
        r.remove(a, b);
        std::fill(first, last, false);
        continue;
      }
      REQUIRE(r.add(a, b) == is_free);
      if (is_free) std::fill(first, last, true);
      const auto gap = std::find(bytes.begin(), bytes.end(), false) - bytes.begin();
      REQUIRE(r.contiguous_end() == static_cast<uint64_t>(gap));
    }
  }
}

// --- BlockQueue

Block block(uint64_t entry, uint64_t offset) {
  Block b;
  b.entry = entry;
  b.offset = offset;
  b.length = 1;
  return b;
}

bool readable(const BlockQueue& queue) {
  pollfd p{queue.event_fd(), POLLIN, 0};
  return poll(&p, 1, 0) == 1;
}

TEST_CASE("BlockQueue: takes what it has room for, and gives in order") {
  BlockQueue queue(2);
  CHECK_FALSE(readable(queue));
  CHECK_FALSE(queue.take());
  CHECK(queue.offer(block(1, 0)));
  CHECK(queue.offer(block(1, 1)));
  CHECK_FALSE(queue.offer(block(1, 2)));
  CHECK(readable(queue));
  CHECK(queue.take()->offset == 0);
  CHECK(queue.offer(block(1, 3)));
  CHECK(queue.take()->offset == 1);
  CHECK(readable(queue));
  CHECK(queue.take()->offset == 3);
  CHECK_FALSE(readable(queue));
}

TEST_CASE("BlockQueue: what comes back goes first, whether there is room or not") {
  BlockQueue queue(1);
  CHECK(queue.offer(block(1, 9)));
  queue.give_back({block(1, 4), block(1, 5)});
  CHECK_FALSE(queue.offer(block(1, 10)));
  CHECK(queue.take()->offset == 4);
  CHECK(queue.take()->offset == 5);
  CHECK(queue.take()->offset == 9);
}

TEST_CASE("BlockQueue: an entry that is given up leaves, others stay") {
  BlockQueue queue(4);
  for (const auto& b : {block(1, 0), block(2, 0), block(1, 1)}) CHECK(queue.offer(b));
  queue.drop(1);
  CHECK(queue.take()->entry == 2);
  CHECK_FALSE(readable(queue));
}

TEST_CASE("BlockQueue: closed wakes who waits, empty or not") {
  BlockQueue queue(1);
  CHECK_FALSE(queue.closed());
  queue.close();
  CHECK(queue.closed());
  CHECK(readable(queue));
  CHECK_FALSE(queue.take());
  CHECK(readable(queue));
}

TEST_CASE("BlockQueue: several threads take each block once") {
  constexpr uint64_t kBlocks = 5000;
  BlockQueue queue(3);
  std::mutex mutex;
  std::vector<uint64_t> taken;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      uint64_t n = 0;
      for (;;) {
        const bool closed = queue.closed();
        const auto b = queue.take();
        if (!b && closed) return;
        if (!b) {
          pollfd p{queue.event_fd(), POLLIN, 0};
          (void)poll(&p, 1, 1000);
          continue;
        }
        if (i == 0 && n++ % 7 == 0) {
          queue.give_back({*b});
          continue;
        }
        const std::lock_guard lock(mutex);
        taken.push_back(b->offset);
      }
    });
  for (uint64_t i = 0; i < kBlocks;) i += queue.offer(block(1, i)) ? 1 : 0;
  queue.close();
  for (auto& thread : threads) thread.join();
  std::ranges::sort(taken);
  REQUIRE(taken.size() == kBlocks);
  for (uint64_t i = 0; i < kBlocks; ++i) REQUIRE(taken[i] == i);
}

}  // namespace
}  // namespace zx
