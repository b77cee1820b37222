// SPDX-License-Identifier: MIT
// StreamReceivers: the receiver's ends of the further connections: blocks into their entries, and
// for each an ACK or a RETRY on the same connection.
#pragma once

#include "common/engine/engine_set.h"
#include "common/session/stream_set.h"
#include "common/ui/console.h"
#include "zrecv/entry_table.h"

namespace zx {

class StreamReceivers {
 public:
  /// `count`: connections of the session, the first one included. All must outlive it.
  StreamReceivers(Session& session, uint16_t count, EntryTable& table, const EngineOptions& engines,
                  Console& console);

  /// Readable when something happened: an entry or a stream has failed.
  int event_fd() const { return streams_.event_fd(); }
  /// Takes the event. Throws the first failure of a stream.
  void check() { streams_.check(); }
  /// Ends a stream that still has a block which comes again over the first connection.
  void evict(uint32_t stream) { streams_.evict(stream, 0); }
  /// The sender has said that nothing more comes. Blocking, up to some seconds.
  void finish() { streams_.finish(); }
  const StreamSet& streams() const { return streams_; }

 private:
  bool serve(StreamSet::Stream& stream);

  EntryTable& table_;
  const EngineOptions engines_;
  Console& console_;
  StreamSet streams_;  // last: its threads use all of the above
};

}  // namespace zx
