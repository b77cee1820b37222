// SPDX-License-Identifier: MIT
// StreamSenders: the sender's ends of the further connections. Each takes blocks from one queue,
// sends them, and keeps them until the receiver has acknowledged them; when a connection is lost,
// its blocks go back to the queue.
#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "common/engine/engine_set.h"
#include "common/session/stream_set.h"
#include "common/ui/console.h"
#include "zsend/block_queue.h"

namespace zx {

/// A block that the receiver has verified.
struct DeliveredBlock {
  QueuedBlock block;
  SentBlock sent;
  uint64_t resent = 0;  // how often it was asked for again
};

class StreamSenders {
 public:
  /// `count`: connections of the session, the first one included. All must outlive it.
  StreamSenders(Session& session, uint16_t count, const EngineOptions& engines, Console& console);
  ~StreamSenders();

  /// The receiver is ready.
  void start();
  bool started() const { return streams_.started(); }
  /// False when no stream is free: the caller sends it itself.
  bool offer(QueuedBlock block);
  /// A block that no stream has taken.
  std::optional<QueuedBlock> take() { return queue_.take(); }
  /// Forgets what no stream has taken of an entry; returns how many blocks that was.
  size_t drop(uint64_t entry) { return queue_.drop(entry); }
  /// What was delivered since the last call. Throws the first failure of a stream.
  std::vector<DeliveredBlock> delivered();
  /// Readable when delivered() has something, or a block came back.
  int event_fd() const { return streams_.event_fd(); }
  /// No more blocks: closes the connections. Blocking, up to some seconds.
  void finish();

  const StreamSet& streams() const { return streams_; }

 private:
  class Worker;

  Session& session_;
  const EngineOptions engines_;
  Console& console_;
  BlockQueue queue_;
  std::mutex mutex_;
  std::vector<DeliveredBlock> delivered_;
  StreamSet streams_;  // last: its threads use all of the above
};

}  // namespace zx
