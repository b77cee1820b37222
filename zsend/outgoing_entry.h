// SPDX-License-Identifier: MIT
// OutgoingEntry: one entry from its announcement until the receiver has said what became of it.
// Only accounting: reads and sends nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/base/wait.h"
#include "common/engine/policy.h"
#include "common/file/source_file.h"
#include "common/session/ledger.h"
#include "zsend/cursor.h"
#include "zsend/lane.h"
#include "zsend/pipe_source.h"

namespace zx {

/// Of one that is still read, or has blocks without an ACK.
struct Reading {
  std::shared_ptr<const SourceFile> file;
  PipeSource* pipe = nullptr;         // whose window `file` is; nothing for a file
  SourceFacts facts;                  // for the choice of its engine
  bool parallel = false;              // its blocks go over several connections
  Extent extent;                      // the run of data or hole that is being sent
  std::set<uint64_t> unacknowledged;  // offsets of blocks
  std::optional<uint64_t> cut_at;     // where the first block ends that was short
  uint64_t hole_bytes = 0;
  std::map<uint64_t, Digest> ahead;  // parts of blocks that arrived before one of lower offset has
  uint64_t counted_end = 0;          // behind the first byte of the last block whose part counts
  std::optional<Hasher> flat;        // of what is before flat_end, read in its order
  uint64_t flat_end = 0;
  Clock::time_point first_waiting;  // of a pipe: since when there is something to send
  bool read_to_end = false;

  void note_cut(uint64_t end) { cut_at = std::min(cut_at.value_or(end), end); }
};

/// What ENTRY says of mode and time.
void set_metadata(EntryInfo& info, const struct stat& st);

/// The outcome, as far as it is known: `bytes` is what was sent so far, in the end the actual size.
struct OutgoingEntry : EntryOutcome {
  DigestSum sum;
  bool end_sent = false;
  bool whole = false;  // see EntryEnd
  std::unique_ptr<Reading> reading;
  std::unique_ptr<HeldBack> held;  // of a file that asks, until it is opened or has its result
  bool wanted = false;             // the answer has come

  bool failed() const { return status != ExitStatus::Ok; }
  /// The first cause counts.
  void fail(ExitStatus why, const std::string& text);
  /// Its source cannot be read; 0 for no error.
  void fail_to_read(int error);
  /// All of its source was read: what has become of it meanwhile.
  void note_change(const SourceFile& file);
  /// A block of it has arrived.
  void take(const Delivered& delivered);
  /// The parts of what has arrived without a gap before it count from now on.
  void settle_parts();
  /// What its END says.
  EntryEnd end() const;
  /// All blocks are acknowledged, and nothing more comes: the size is final.
  void finish_reading();
  /// What has become of it. Throws Error{Protocol} when that cannot be.
  void conclude(const Result& result);
};

}  // namespace zx
