// SPDX-License-Identifier: MIT
// EntrySender: all that a session sends, from the first entry to the end. Owns the state of every
// entry, from its announcement until the receiver has said what became of it for good, and is the
// only place that changes it. Blocks are on their way in lanes (lane.h), one a connection. One
// thread; no handler calls another: what comes is recorded, and step() decides what is next. A
// connection that is lost is made again between two steps.
//
// Small files are read into memory and sent in one piece, from the announcement to the END. Of
// others END follows when all blocks are acknowledged: nothing is sent again after it.
//
// Where the receiver may leave files alone they are announced from what the walk knows, ask, and
// are opened when they are wanted (ask.cc): the walk goes on meanwhile.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "common/engine/engine_set.h"
#include "common/file/attributes.h"
#include "common/session/asked_directories.h"
#include "common/session/further_connections.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zsend/cursor.h"
#include "zsend/hard_links.h"
#include "zsend/lane.h"
#include "zsend/outgoing_entry.h"

namespace zx {

class EntrySender {
 public:
  /// streams: connections that blocks go over, the first one included. All must outlive it.
  EntrySender(Session& session, SourceCursor& cursor, const EngineOptions& engines,
              uint16_t streams, Console& console, Ledger& ledger);

  /// Sends everything, over as many connections as it takes, up to the verdict, which says the same
  /// as the ledger, and the end of the receiver. Blocking. Throws what ends the session.
  RunReport run();

 private:
  void step();
  void recover(const Error& lost);
  bool send_something();
  bool serve();
  void handle(const Frame& frame);
  void take_retold(const Frame& ack);
  void take_delivered(const Delivered& delivered);
  void take_results(const Results& results);
  void settle(uint64_t id, const Result& result);
  bool others_alive() const;
  bool send_returned();
  void send_on_first(Block block);
  void feed_hole(Reading& reading, uint64_t end);
  uint64_t first_name_of(const SourceEntry& source) const;
  bool first_is_read(uint64_t first) const;
  bool begin_next();
  void pause_for_lease();
  void flush_when_gathered();
  HoldBack hold_back() const;
  void ask(OutgoingEntry& entry, const SourceEntry& source);
  static size_t most_ask_directories();
  void take_wanted(const Wanted& wanted);
  bool send_wanted();
  void no_longer_asks(OutgoingEntry& entry);
  void send_failed(OutgoingEntry& entry, const SourceEntry& source);
  void enter_directory(OutgoingEntry& entry, const WalkStep& step);
  void tell_total();
  void send_hard_link(OutgoingEntry& entry, const SourceEntry& source, uint64_t first);
  void leave_directory(const WalkStep& step);
  void begin_file(OutgoingEntry& entry, const std::string& name, SourceFile file);
  bool send_small(OutgoingEntry& entry, const SourceFile& file);
  void begin_pipe(OutgoingEntry& entry, PipeSource& pipe);
  bool send_more_of_file(OutgoingEntry& entry);
  bool send_more_of_pipe(OutgoingEntry& entry);
  void send_block(OutgoingEntry& entry, uint32_t length);
  void send_hole(OutgoingEntry& entry, Extent hole);
  static int pipe_event(OutgoingEntry& entry, std::chrono::milliseconds* limit);
  void start_reading(OutgoingEntry& entry, std::unique_ptr<Reading> reading);
  void end_complete();
  void send_end(OutgoingEntry& entry);
  void digest_again(OutgoingEntry& entry);
  void send_fin();
  void conclude();
  void wait();

  Session& session_;
  Link& link_;
  const Negotiated& agreed_;
  SourceCursor& cursor_;
  SendEngines engines_;
  Console& console_;
  Ledger& ledger_;
  Lane lane_;
  BlockQueue queue_;  // for the further connections, and of lost ones

  std::map<uint64_t, OutgoingEntry> entries_;  // without a result
  std::set<uint64_t> reading_;                 // ids of those that have a Reading
  size_t name_bytes_ = 0;                      // of these
  uint64_t last_id_ = 0;
  uint64_t ended_bytes_ = 0;  // of what is read to its end, or is not wanted
  size_t looked_at_ = 0;      // bytes that were gathered at the last look at what the receiver says
  OutgoingEntry* current_ = nullptr;  // the one that is read
  struct OpenDirectory {
    uint64_t id = 0;
    bool fresh = false;  // nothing was in it at the receiver
  };
  std::vector<OpenDirectory> open_directories_;
  size_t asking_ = 0;                 // files without an answer, or wanted and not opened
  AskedDirectories ask_directories_;  // of these
  std::deque<uint64_t> wanted_;
  Principals principals_;
  HardLinks hard_links_;
  std::optional<SourceEntry> held_;  // the next one: another name of a file that is still read
  bool all_begun_ = false, fin_sent_ = false;
  std::optional<Verdict> verdict_;

  const Stopwatch watch_;
  SideFigures figures_;
  PathReport path_;

  std::mutex mutex_;
  std::vector<Delivered> delivered_;             // over further connections; guarded by mutex_
  std::unique_ptr<FurtherConnections> further_;  // last: its threads use the queue
};

}  // namespace zx
