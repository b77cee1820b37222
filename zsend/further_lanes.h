// SPDX-License-Identifier: MIT
// FurtherLanes: the sender's ends of the connections beside the first. Each takes blocks from one
// queue, sends them, and keeps them until the receiver has acknowledged them; when a connection is
// lost, its blocks go back to the queue.
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include "common/engine/engine_set.h"
#include "common/session/further_connections.h"
#include "common/ui/console.h"
#include "zsend/block_queue.h"

namespace zx {

class FurtherLanes {
 public:
  /// `count`: connections of the session, the first one included. All must outlive it.
  FurtherLanes(Session& session, uint16_t count, const EngineOptions& engines, Console& console);

  /// The receiver is ready.
  void start();
  bool started() const { return connections_.started(); }
  /// False when no lane is free: the caller sends it itself.
  bool offer(Block block);
  /// What the first connection had on its way when it was lost.
  void give_back(std::vector<Block> blocks) { queue_.give_back(std::move(blocks)); }
  /// True when there are lanes to take what was given back.
  bool alive() const { return connections_.alive() > 0; }
  /// A block that no lane has taken.
  std::optional<Block> take() { return queue_.take(); }
  /// Forgets what no lane has taken of an entry.
  void drop(uint64_t entry) { queue_.drop(entry); }
  /// What was delivered since the last call. Throws the first failure of a lane.
  std::vector<Delivered> delivered();
  /// Readable when delivered() has something, or a block came back.
  int event_fd() const { return connections_.event_fd(); }
  /// No more blocks: closes the connections. Blocking, up to some seconds.
  void finish();

  const FurtherConnections& connections() const { return connections_; }

 private:
  bool serve(Link& link);

  Session& session_;
  const EngineOptions engines_;
  Console& console_;
  BlockQueue queue_;
  std::mutex mutex_;
  std::vector<Delivered> delivered_;
  FurtherConnections connections_;  // last: its threads use all of the above
};

}  // namespace zx
