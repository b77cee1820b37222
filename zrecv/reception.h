// SPDX-License-Identifier: MIT
// Reception: the frames of one link, from the first ENTRY to FIN, sorted to their entries. The
// state machine of the receiver is here: what is not expected ends the session.
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
#include "zrecv/destination.h"
#include "zrecv/entry_writer.h"

namespace zx {

class Reception {
 public:
  /// All must outlive it. `requested`: names a pull has asked for; empty when everything is
  /// welcome.
  Reception(Session& session, Destination& destination, RecvEngines& engines,
            std::vector<std::string> requested, Console& console, Ledger& ledger);

  /// Receives until FIN. Failed entries are in the ledger by then and their temporary files gone.
  Fin run();
  /// Verified entries that wait for their commit, in order of arrival.
  std::vector<std::unique_ptr<EntryWriter>>& complete() { return complete_; }
  /// After the commit: outcomes into the ledger, and word to the sender of those that failed.
  /// Removes what temporary files are left.
  void report_commits();

 private:
  void on_switch();
  Fin on_fin(const Frame& frame);
  void on_entry(const Frame& frame);
  void on_data(const FrameHeader& header);
  void on_digest(const Frame& frame);
  void on_hole(const Frame& frame);
  void on_end(const Frame& frame);
  void open_entry(uint64_t id, const EntryInfo& info);
  void skip_entry(uint64_t id, const EntryInfo& info, const Target& target);
  void drop(uint64_t id, EntryOutcome outcome);
  void drop_if_failed(uint64_t id);
  EntryWriter* writer(const FrameHeader& header);

  Session& session_;
  Link& link_;
  const Negotiated& agreed_;
  Destination& destination_;
  RecvEngines& engines_;
  std::unique_ptr<BlockReceiver> resend_engine_;
  PageBuffer read_back_;
  const std::vector<std::string> requested_;
  Console& console_;
  Ledger& ledger_;

  uint64_t last_id_ = 0;
  bool entry_open_ = false;  // the last ENTRY has had no END
  uint64_t unacknowledged_blocks_ = 0;
  std::map<uint64_t, std::unique_ptr<EntryWriter>> open_;
  std::set<uint64_t> dropped_;   // failed or skipped: frames on their way are ignored
  std::set<std::string> names_;  // taken by entries of this session
  std::vector<std::unique_ptr<EntryWriter>> complete_;
};

}  // namespace zx
