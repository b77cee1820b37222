// SPDX-License-Identifier: MIT
// EntryReceiver: the receiver's half of a session, from the first ENTRY to the sender's BYE. Here
// is the state machine: what is not expected ends the session. The frames of the first connection
// are handled on the main thread; blocks come over further connections too, each with a thread and
// a lane (lane.h), and verified entries are committed on a thread of their own (batch.h).
//
// A lost connection is made again and changes nothing: every handler has changed all state before
// anything is sent, and none calls another.
//
//   receiving -> FIN -> every open entry is concluded -> all is committed -> what is to be deleted
//   is -> VERDICT -> BYE
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/wake_fd.h"
#include "common/engine/engine_set.h"
#include "common/session/asked_directories.h"
#include "common/session/further_connections.h"
#include "common/session/ledger.h"
#include "common/session/limit.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zrecv/batch.h"
#include "zrecv/deleter.h"
#include "zrecv/destination.h"
#include "zrecv/lane.h"
#include "zrecv/name_filter.h"
#include "zrecv/open_directories.h"
#include "zrecv/open_entries.h"

namespace zx {

class EntryReceiver {
 public:
  /// All references must outlive it.
  EntryReceiver(Session& session, Destination& destination, const EngineOptions& engines,
                RequestedNames requested, Console& console, Ledger& ledger);

  /// Receives and commits everything, up to the sender's BYE. Every outcome that has become final
  /// is in the ledger and printed when it returns or throws. Blocking. Throws what ends the
  /// session.
  RunReport run();

 private:
  void step();
  void recover(const Error& lost);
  void handle(const Frame& frame);
  void on_streams(const Frame& frame);
  void on_entry(const Frame& frame);
  void look_at(Sink& sink, const EntryInfo& info, bool again, EntryOutcome* outcome);
  void judge(const EntryInfo& info, EntryOutcome outcome);
  void want(uint64_t id, bool fresh);
  struct Asked;
  Asked take_asked(std::map<uint64_t, Asked>::iterator found, const EntryInfo& info);
  void enter_directory(const EntryInfo& info, EntryOutcome outcome);
  void leave_directory(uint64_t id, const EntryEnd& end);
  void finish(Verified entry);
  void finish_link(uint64_t first, bool last, Verified link);
  void release_links(uint64_t id, ExitStatus failure);
  void done(uint64_t id);
  OpenEntries::Entry open_entry(EntryInfo info, const Asked* asked, EntryOutcome* outcome);
  void on_hole(const Frame& frame);
  void make_hole();
  void on_end(const Frame& frame);
  void on_fin(const Frame& frame);
  void on_bye(const Frame& frame);
  void conclude_ready();
  void record(const EntryOutcome& outcome);
  void settle(std::vector<EntryOutcome> outcomes);
  void tell();
  void go_on_to_verdict();
  void note_whole(Verified& directory, bool whole);
  bool delete_others();
  bool durable() const {
    return ledger_.could_sync() && agreed_.durability != Durability::None && !agreed_.dry_run;
  }

  Session& session_;
  Link& link_;
  const Negotiated& agreed_;
  Destination& destination_;
  NameFilter names_;
  Console& console_;
  Ledger& ledger_;

  WakeFd event_;  // an entry is ready, outcomes are final, or a sink has failed
  RecvEngines engines_;
  OpenEntries entries_;
  std::map<uint64_t, EntryOutcome> unsent_;  // failed at the sender; their END is to come
  OpenDirectories directories_;
  // Files that have asked, and are wanted: where they will go.
  struct Asked {
    Destination::Place place;
    std::vector<std::string> name;
    uint64_t directory = 0;
  };
  std::map<uint64_t, Asked> asked_;
  AskedDirectories asked_directories_{kMaxAskedDirectories};  // of these
  // To be told: answers are gathered to runs.
  std::vector<Result> results_;
  std::vector<WantedRun> wanted_;
  uint64_t told_at_ = 0;  // bytes that had come then
  // Of files that get further names, until the last of these has come.
  struct Linked {
    bool here = false;  // with the commit, or left alone
    ExitStatus failure = ExitStatus::Ok;
    bool last = false;              // no more of them come
    std::vector<Verified> waiting;  // names that came before it was there
  };
  std::map<uint64_t, Linked> linked_;
  size_t waiting_links_ = 0;                // in all of these
  std::map<uint64_t, size_t> open_xattrs_;  // bytes of open entries that have some
  size_t open_xattr_bytes_ = 0;             // of these
  uint64_t roots_ = 0;                      // entries that are in no directory
  IncomingLane lane_;

  struct Hole {
    OpenEntries::Entry entry;
    uint64_t offset = 0, length = 0;
  };
  std::optional<Hole> hole_;  // told, not made yet
  std::optional<Fin> fin_;
  bool flushed_ = false, verdict_sent_ = false, done_ = false;

  // --delete: the names in the destination itself, once it was told as a directory, and whether
  // each time whole.
  std::shared_ptr<const NameSet> own_names_;
  bool whole_ = true;
  std::unique_ptr<Deleter> deleter_;
  bool told_staying_ = false;
  std::optional<Deletion> deletion_;  // when it has ended

  const Stopwatch watch_;
  SideFigures figures_;
  PathReport path_;

  Committer committer_;
  std::unique_ptr<FurtherConnections> further_;  // last: its threads use the entries
};

}  // namespace zx
