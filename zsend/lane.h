// SPDX-License-Identifier: MIT
// Lane: the blocks on their way over one connection, the first one of a session or a further one.
// Each is in here from the moment it is sent until the receiver has acknowledged it, or the
// connection is lost and it is given back. One thread, that of the connection.
#pragma once

#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "common/engine/engine_set.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zsend/block_queue.h"

namespace zx {

/// A block that the receiver has verified.
struct Delivered {
  Block block;
  BlockDigest kept;      // what the receiver has of it
  bool changed = false;  // that is not what was read at first
};

/// ACK for a block that was sent. Throws Error{Protocol} when it is for another content: then the
/// block is as it was.
Delivered acknowledged(Block&& block, const Frame& ack);

class Lane {
 public:
  /// All must outlive it.
  Lane(Link& link, SendEngines& engines, Console& console)
      : link_(link), engines_(engines), console_(console) {}

  /// False when as much is on its way as may be.
  bool has_room() const;
  bool empty() const { return under_way_.empty(); }
  /// DATA and its DIGEST, which is only queued. What is in memory is queued as a whole. `flat`,
  /// when not null, is fed the content. Returns what was read of it. Blocking.
  SentBlock send(Block block, Hasher* flat);
  /// ACK: the block is delivered. RETRY: it is sent again, read anew into memory, so that digest
  /// and bytes belong together even while the file changes; nothing is delivered. Throws
  /// Error{Protocol} for a block that is not on its way, and when one is asked for too often.
  std::optional<Delivered> take_answer(const Frame& frame);
  /// The connection is lost: what was on its way, to be sent over another one.
  std::vector<Block> give_back();

 private:
  void send_again(Block& asked, uint32_t length);
  void queue_digest(Block& block, const SentBlock& sent);

  Link& link_;
  SendEngines& engines_;
  Console& console_;
  std::list<Block> under_way_;  // in the order in which the receiver answers
  uint64_t bytes_ = 0, memory_bytes_ = 0;
};

/// A further connection, on its thread: sends what it takes from the queue, and gives back there
/// what is not acknowledged when the connection is lost. True after its BYE, when the queue is
/// closed; false when its key is worn.
bool serve_lane(Link& link, Session& session, const EngineOptions& options, Console& console,
                BlockQueue& queue, const std::function<void(Delivered)>& deliver);

}  // namespace zx
