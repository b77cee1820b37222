// SPDX-License-Identifier: MIT
// EntryWriter: one entry while it is received: which of its blocks have come, and whether each is
// what the sender read; damaged ones are asked for again. A single block on its way into the file
// is a BlockWriter. Never makes a final name (that is commit.h). Wire faults are thrown, faults of
// this one file are its outcome. What is used by several streams is thread-safe.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "common/base/page_buffer.h"
#include "common/engine/policy.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zrecv/covered_ranges.h"
#include "zrecv/entry_sink.h"

namespace zx {

/// One DATA frame and what the file holds of it.
struct ReceivedBlock {
  uint64_t offset = 0;
  uint32_t length = 0;
  Digest digest{};
};

class EntryWriter {
 public:
  /// `sink`: open. `parallel`: the session has several streams, and blocks may come in any order.
  EntryWriter(uint64_t id, const EntryInfo& info, std::unique_ptr<EntrySink> sink,
              const Negotiated& agreed, bool parallel);

  // Of all streams; 0 is the first connection. After each of these look at failed(): the entry is
  // then to be dropped with its outcome, by the main thread.

  struct Claim {
    bool unwanted = false;          // the entry has failed: the payload is for nothing
    bool known = false;             // verified before, and maybe handed on: only its digest counts
    std::optional<uint32_t> rival;  // this stream still has the block: to be ended before
  };
  /// A DATA frame has come. Unless the answer says otherwise the block belongs to this stream,
  /// until settle() or release(). Throws Error{Protocol}, and Error{Network}
  /// for what comes over a stream that its sender has given up: that is to end.
  Claim claim(const FrameHeader& header, uint32_t stream);
  /// The digests of sender and file for a claimed block. When they differ, *ask_again gets the
  /// length to ask for, and the stream keeps the block.
  void settle(const ReceivedBlock& block, uint32_t stream, const BlockDigest& theirs,
              std::optional<uint32_t>* ask_again);
  /// The stream is gone, and with it what it has not settled.
  void release(uint32_t stream);
  void fail(ExitStatus status, const std::string& reason);
  bool failed();
  /// Whether the payload of a claimed block can be taken at once, see EntrySink::has_room().
  bool has_room(const FrameHeader& header) const;
  /// Waits for that. Blocking, looks for a stop. Throws Error{Timeout}.
  void await_room(const FrameHeader& header, std::chrono::seconds idle);
  /// Of a range that was written; fails the entry when it cannot be read.
  Digest digest_of_file_range(uint64_t offset, uint64_t length, PageBuffer& buffer);
  /// To be fed all content in its order; nothing when that is not to be had.
  Hasher* flat_hasher() { return file_hasher_ ? &*file_hasher_ : nullptr; }
  /// Everything before this has come and is verified; it never goes back.
  uint64_t verified_prefix() const;
  int fd() const { return sink_->fd(); }
  std::string describe() const { return sink_->describe(); }
  /// For the choice of its engine.
  const SinkFacts& sink_facts() const { return sink_facts_; }

  // Of the main thread.

  void hole(uint64_t offset, uint64_t length, Console& console);
  /// True when the entry is complete and verified, or has failed; false when damaged blocks are
  /// still to come (a further END follows them).
  bool end(uint64_t size, const EntryEnd& end, PageBuffer& buffer);

  EntryOutcome& outcome() { return outcome_; }
  const EntryInfo& info() const { return info_; }
  EntrySink& sink() { return *sink_; }
  /// Before other streams know the entry.
  void set_sink_facts(const SinkFacts& facts) { sink_facts_ = facts; }
  Digest block_sum() const { return sum_.value(); }

 private:
  struct Range {
    uint64_t offset = 0;
    uint32_t length = 0;
    bool operator==(const Range&) const = default;
  };
  struct Damage {
    uint32_t data_length = 0;  // of its first DATA
    uint32_t length = 0;       // of its content: what is asked for
    int attempts = 0;
    uint32_t stream = 0;
  };
  struct Verified {
    Range range;
    uint32_t length = 0;
    Digest digest{};
  };

  uint64_t most_bytes() const { return info_.open_ended ? kMaxFileBytes : info_.size; }
  void fail_locked(ExitStatus status, const std::string& reason);
  void require_latest(const Range& range, uint16_t attempt);
  std::optional<uint32_t> rival_for(const Range& range, uint32_t stream) const;
  bool is_known_again(const Range& range, uint32_t stream);
  bool settle_known(uint32_t stream, const BlockDigest& theirs);
  uint64_t prefix_locked() const;
  void tell_sink();
  void accept(const ReceivedBlock& block, uint32_t stream, uint32_t length);
  void settle_file_digest(uint64_t size, const EntryEnd& end, PageBuffer& buffer);

  const EntryInfo info_;
  const Negotiated& agreed_;
  const bool parallel_;
  const std::unique_ptr<EntrySink> sink_;
  SinkFacts sink_facts_;
  std::optional<Hasher> file_hasher_;  // flat over the file, while nothing was out of order

  mutable std::mutex mutex_;  // for all that follows
  EntryOutcome outcome_;
  CoveredRanges covered_;               // come, or coming
  std::map<uint32_t, Range> claimed_;   // by stream: between DATA and DIGEST
  std::map<uint32_t, Verified> known_;  // those of claimed_ that had been verified before
  std::map<uint64_t, Damage> damaged_;  // by offset: to come again
  // By stream: those whose ACK the sender may not have got when the stream is lost.
  std::map<uint32_t, std::deque<Verified>> recent_;
  std::map<uint64_t, std::pair<uint32_t, uint16_t>> attempts_;  // by offset: length, the highest
  std::optional<uint64_t> short_end_;  // the source ended here, inside a DATA
  uint64_t verified_end_ = 0;          // of the last verified block
  bool stream_lost_ = false;           // blocks may be missing that nothing here tells of
  bool closed_ = false;                // END has come
  DigestSum sum_;
};

}  // namespace zx
