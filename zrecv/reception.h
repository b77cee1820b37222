// SPDX-License-Identifier: MIT
// Reception: the frames of the first connection, from the first ENTRY to FIN, sorted to their
// entries; blocks come over further connections too (stream_receivers.h). The state machine of the
// receiver is here: what is not expected ends the session.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <vector>

#include "common/engine/engine_set.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zrecv/block_writer.h"
#include "zrecv/entry_sink.h"
#include "zrecv/entry_table.h"
#include "zrecv/entry_writer.h"
#include "zrecv/stream_receivers.h"

namespace zx {

/// The names that a pull has asked for.
struct RequestedNames {
  std::vector<std::vector<std::string>> names;  // none: everything is welcome
  // Each must come, in this order. Else there is one name, and what is offered under it is welcome.
  bool every_one = false;
};

class Reception {
 public:
  /// All must outlive it.
  Reception(Session& session, Destination& destination, RecvEngines& engines,
            RequestedNames requested, Console& console, Ledger& ledger);

  /// Receives until FIN. Failed entries are in the ledger by then and their temporary files gone.
  Fin run();
  /// Verified entries that wait for their commit, in order of arrival.
  std::vector<std::shared_ptr<EntryWriter>>& complete() { return complete_; }
  /// The further connections; nothing when there are none.
  const StreamSet* streams() const { return streams_ ? &streams_->streams() : nullptr; }
  /// After the commit: outcomes into the ledger, and word to the sender of those that failed.
  /// Removes what temporary files are left.
  void report_commits();

 private:
  Frame next_frame();
  void on_switch(const Frame& frame);
  void on_streams(const Frame& frame);
  Fin on_fin(const Frame& frame);
  void on_entry(const Frame& frame);
  void on_data(const FrameHeader& header);
  void on_digest(const Frame& frame);
  void on_hole(const Frame& frame);
  void on_end(const Frame& frame);
  bool is_requested(uint64_t id, const EntryInfo& info) const;
  void open_entry(uint64_t id, const EntryInfo& info);
  void skip_entry(uint64_t id, const EntryInfo& info, const std::string& name);
  void drop(uint64_t id, EntryOutcome outcome);
  void drop_failed();

  Session& session_;
  Link& link_;
  const Negotiated& agreed_;
  Destination& destination_;
  RecvEngines& engines_;
  BlockWriter blocks_;
  const RequestedNames requested_;
  Console& console_;
  Ledger& ledger_;

  uint64_t last_id_ = 0;
  bool entry_open_ = false;  // the last ENTRY has had no END
  uint64_t unacknowledged_blocks_ = 0;
  EntryTable open_;
  std::set<std::string> names_;  // taken by entries of this session
  std::vector<std::shared_ptr<EntryWriter>> complete_;
  std::unique_ptr<StreamReceivers> streams_;  // last: its threads use the table
};

}  // namespace zx
