// SPDX-License-Identifier: MIT
// BlockQueue: blocks of entries that wait for a stream that is free. Thread-safe, never blocks: who
// waits polls its descriptor.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/wake_fd.h"
#include "common/engine/policy.h"
#include "common/file/source_file.h"

namespace zx {

struct QueuedBlock {
  uint64_t entry = 0, offset = 0;
  uint32_t length = 0;
  uint16_t attempt = 0;  // streams lost with it
  std::shared_ptr<const SourceFile> file;
  SourceFacts facts;
};

class BlockQueue {
 public:
  explicit BlockQueue(size_t capacity) : capacity_(capacity) {}

  /// False when it is full.
  bool offer(QueuedBlock block);
  /// Blocks whose stream was lost: to the front, also of a full queue, as a further attempt.
  void give_back(std::vector<QueuedBlock> blocks);
  std::optional<QueuedBlock> take();
  /// Forgets what is left of an entry; returns how many blocks that was.
  size_t drop(uint64_t entry);
  /// No more blocks will be offered.
  void close();
  bool closed() const;
  /// Readable while take() has something to give, or the queue is closed.
  int event_fd() const { return event_.fd(); }

 private:
  void update();

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<QueuedBlock> blocks_;
  bool closed_ = false;
  WakeFd event_;
};

}  // namespace zx
