// SPDX-License-Identifier: MIT
// BlockQueue: blocks that wait for a connection that is free. Thread-safe, never blocks: who
// waits polls its descriptor.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/wake_fd.h"
#include "zsend/block.h"

namespace zx {

class BlockQueue {
 public:
  explicit BlockQueue(size_t capacity) : capacity_(capacity) {}

  /// False when it is full.
  bool offer(Block block);
  /// Blocks whose connection was lost: to the front, also of a full queue.
  void give_back(std::vector<Block> blocks);
  std::optional<Block> take();
  /// Forgets what is left of an entry.
  void drop(uint64_t entry);
  /// No more blocks will be offered.
  void close();
  bool closed() const;
  /// Readable while take() has something to give, or the queue is closed.
  int event_fd() const { return event_.fd(); }

 private:
  void update();

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<Block> blocks_;
  bool closed_ = false;
  WakeFd event_;
};

}  // namespace zx
