// SPDX-License-Identifier: MIT
// IncomingLanes: the lanes of the further connections, each on the thread of its connection.
#pragma once

#include "common/engine/engine_set.h"
#include "common/session/further_connections.h"
#include "common/ui/console.h"
#include "zrecv/open_entries.h"

namespace zx {

class IncomingLanes {
 public:
  /// `count`: connections of the session, the first one included. They can be made from now on. All
  /// references must outlive it.
  IncomingLanes(Session& session, uint16_t count, OpenEntries& entries,
                const EngineOptions& engines, Console& console);

  /// Readable when a lane has failed.
  int event_fd() const { return connections_.event_fd(); }
  /// Takes the event. Throws the first failure of a lane.
  void check() { connections_.check(); }
  /// The sender has said that nothing more comes. Blocking, up to some seconds. Throws as check().
  void finish() { connections_.finish(); }
  const FurtherConnections& connections() const { return connections_; }

 private:
  bool serve(uint16_t number, Link& link);

  Session& session_;
  OpenEntries& entries_;
  const EngineOptions engines_;
  Console& console_;
  FurtherConnections connections_;  // last: its threads use all of the above
};

}  // namespace zx
