// SPDX-License-Identifier: MIT
// EntrySender: all that a session sends, from the first entry to the end. Owns the state of every
// entry, from its announcement until the receiver has said what became of it for good, and is the
// only place that changes it. Blocks are on their way in lanes (lane.h), one a connection. One
// thread; no handler calls another: what comes is recorded, and step() decides what is next. A
// connection that is lost is made again between two steps.
//
// Small files are read into memory and sent in one piece, from the announcement to the END. Of
// others END follows when all blocks are acknowledged: nothing is sent again after it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "common/engine/engine_set.h"
#include "common/session/further_connections.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zsend/cursor.h"
#include "zsend/lane.h"

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
  // What is still read, or has blocks without an ACK.
  struct Reading {
    std::shared_ptr<const SourceFile> file;
    PipeSource* pipe = nullptr;         // whose window `file` is; nothing for a file
    SourceFacts facts;                  // for the choice of its engine
    bool parallel = false;              // its blocks go over several connections
    Extent extent;                      // the run of data or hole that is being sent
    std::set<uint64_t> unacknowledged;  // offsets of blocks
    std::optional<uint64_t> cut_at;     // where the first block ends that was short
    uint64_t content_end = 0;           // of the last block that is not empty
    std::optional<Hasher> flat;         // of what is before flat_end, read in its order
    uint64_t flat_end = 0;
    Clock::time_point first_waiting;    // of a pipe: since when there is something to send
    bool read_to_end = false;

    void note_cut(uint64_t end) { cut_at = std::min(cut_at.value_or(end), end); }
  };
  // One that has no result yet.
  struct Entry {
    EntryOutcome outcome;  // as far as it is known
    uint64_t size = 0;     // what was sent of it so far, in the end its actual size
    DigestSum sum;
    bool end_sent = false;
    std::unique_ptr<Reading> reading;

    bool failed() const { return outcome.status != ExitStatus::Ok; }

    void fail(ExitStatus status, const std::string& text);
  };

  void step();
  void recover(const Error& lost);
  bool serve();
  std::vector<Delivered> delivered_elsewhere();
  void handle(const Frame& frame);
  void take_delivered(Delivered delivered);
  void take_results(const std::vector<Result>& results);
  void settle(uint64_t id, const Result& result);
  bool others_alive() const;
  bool send_returned();
  void send_on_first(Block block);
  void feed_hole(Reading& reading, uint64_t end);
  bool may_begin() const;
  void begin_next();
  void begin_file(uint64_t id, Entry& entry, const std::string& name, SourceFile file);
  bool send_small(uint64_t id, Entry& entry, const SourceFile& file);
  void begin_pipe(uint64_t id, Entry& entry, PipeSource& pipe);
  bool send_more();
  bool send_more_of_file(uint64_t id, Entry& entry);
  bool send_more_of_pipe(uint64_t id, Entry& entry);
  void send_block(uint64_t id, Entry& entry, uint32_t length);
  void send_hole(uint64_t id, Entry& entry, Extent hole);
  static int pipe_event(const Entry& entry, std::chrono::milliseconds* limit);
  void end_complete();
  void send_end(uint64_t id, Entry& entry);
  void finish_reading(Entry& entry);
  void digest_again(Entry& entry);
  void send_fin();
  void conclude();
  RunReport report() const;
  void wait();

  Session& session_;
  Link& link_;
  const Negotiated& agreed_;
  SourceCursor& cursor_;
  const EngineOptions engine_options_;
  SendEngines engines_;
  Console& console_;
  Ledger& ledger_;
  Lane lane_;
  BlockQueue queue_;  // for the further connections, and of lost ones

  std::map<uint64_t, Entry> entries_;
  std::set<uint64_t> reading_;  // ids of those that have a Reading
  uint64_t last_id_ = 0;
  uint64_t current_ = 0;  // the one that is read; 0: none
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
