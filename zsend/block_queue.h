// SPDX-License-Identifier: MIT
// BlockQueue: blocks that wait for a connection that is free. Thread-safe, never blocks: who
// waits polls its descriptor.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/wake_fd.h"
#include "common/engine/policy.h"
#include "common/file/source_file.h"
#include "common/wire/message.h"

namespace zx {

/// A part of an entry that goes over one connection at a time, until the receiver has acknowledged
/// it.
struct Block {
  uint64_t entry = 0, offset = 0;
  uint32_t length = 0;
  uint16_t attempt = 0;                // connections that were lost with it
  std::vector<BlockDigest> sent = {};  // what was sent as its content; the last one counts
  int read_error = 0;                  // errno; what was read before it counts
  int resent = 0;                      // how often the receiver asked for it again
  // Where its content is: in a file, or in memory.
  std::shared_ptr<const SourceFile> file = {};
  SourceFacts facts = {};
  std::shared_ptr<const Bytes> bytes = {};
  // Only the first connection takes it: the blocks of its entry go in their order.
  bool in_order = false;
};

class BlockQueue {
 public:
  explicit BlockQueue(size_t capacity) : capacity_(capacity) {}

  /// False when it is full.
  bool offer(Block block);
  /// Blocks whose connection was lost: to the front, also of a full queue.
  void give_back(std::vector<Block> blocks);
  /// For a further connection: one that is not in_order, nor lost with too many of them.
  std::optional<Block> take();
  /// For the first connection: one that take() leaves out; with `any`, whatever comes first.
  std::optional<Block> take_for_first(bool any);
  /// One that was given back, of this entry and offset; nothing when somebody has taken it.
  std::optional<Block> take_returned(uint64_t entry, uint64_t offset);
  /// Forgets what is left of an entry.
  void drop(uint64_t entry);
  /// No more blocks will be offered.
  void close();
  bool closed() const {
    const std::lock_guard lock(mutex_);
    return closed_;
  }
  bool empty() const {
    const std::lock_guard lock(mutex_);
    return blocks_.empty();
  }
  /// Readable while take() has something to give, or the queue is closed.
  int event_fd() const { return event_.fd(); }

 private:
  static bool is_shared(const Block& block);
  std::optional<Block> take_if(const std::function<bool(const Block&)>& wanted);
  void update();

  const size_t capacity_;
  mutable std::mutex mutex_;
  std::deque<Block> blocks_;
  bool closed_ = false;
  WakeFd event_;
};

}  // namespace zx
