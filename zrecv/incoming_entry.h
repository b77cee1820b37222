// SPDX-License-Identifier: MIT
// IncomingEntry: one entry while it is received: what has come of it (arrived.h), where that goes
// (sink.h), and its END, which may come before all of its blocks do. Faults of this one entry are
// its outcome; faults of the wire are thrown. Never makes a final name: that is batch.h.
//
// It is open until ready(): then it has failed, or its END and all of its content are there. The
// main thread concludes it then, once.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "common/base/page_buffer.h"
#include "common/engine/engine_set.h"
#include "common/session/ledger.h"
#include "common/session/session.h"
#include "zrecv/arrived.h"
#include "zrecv/disk_check.h"
#include "zrecv/pipe_sink.h"

namespace zx {

/// A verified entry on its way to its commit.
struct Verified {
  EntryOutcome outcome;
  std::unique_ptr<Sink> sink;
  // What its outcome is although it is committed: a directory of which not all was sent.
  std::optional<Error> failure = {};
  std::vector<WrittenBlock> blocks = {};  // with --verify=disk
};

class IncomingEntry {
 public:
  /// `sink`: looked at, not open. `agreed` must outlive it.
  IncomingEntry(uint64_t id, const EntryInfo& info, std::unique_ptr<Sink> sink,
                const Negotiated& agreed, BlockOrder order);

  uint64_t id() const { return id_; }
  const EntryInfo& info() const { return info_; }
  /// Its content may be more than one block.
  bool has_several_blocks() const { return info_.open_ended || info_.size > agreed_.block_bytes; }
  std::string describe() const { return sink_->describe(); }

  // Of all lanes. A failure is the outcome of the entry; then ready() is true.

  /// A DATA frame has come, see Arrived::claim(). Nothing when the entry has failed or is complete:
  /// the payload is for nobody. Throws Error{Protocol}, and Error{Network} for a stale block: the
  /// lane that brings it is to end.
  std::optional<Arrived::Claim> claim(const FrameHeader& data, uint16_t lane);
  /// Opens the sink if it is not open yet, and finds out what the engines want to know of it.
  /// Nothing when the entry has failed. Before the payload of a claimed block is taken.
  std::optional<SinkFacts> open(const RecvEngines& engines);
  /// Whether the payload of a claimed block may be taken at once.
  bool has_room(const FrameHeader& data) const {
    return pipe_ == nullptr || pipe_->has_room(data.offset + data.length);
  }
  /// Waits for that. Blocking, looks for a stop signal. When it is not the reader that is waited
  /// for, and nothing comes for so long, the entry fails.
  void await_room(const FrameHeader& data, std::chrono::milliseconds idle);
  /// These bytes of a claimed block were written, and hashed by the caller: for the digest of the
  /// whole file, as long as content comes in its order.
  void feed(uint64_t offset, std::span<const std::byte> bytes);
  /// See Arrived::settle(). Nothing when the entry has failed.
  std::optional<Arrived::Settled> settle(const FrameHeader& data, uint16_t lane, const Digest& mine,
                                         const BlockDigest& theirs);
  /// The lane is gone.
  void release(uint16_t lane);
  void fail(ExitStatus status, const std::string& reason);
  /// Reads a range that was written, piece by piece; fails the entry when it cannot be read.
  /// uncached: what was not in the page cache does not stay there. Blocking.
  void read_back(uint64_t offset, uint64_t length, bool uncached, PageBuffer& buffer,
                 const std::function<void(std::span<const std::byte>)>& take);
  /// XXH3-128 of it. Looks for a stop signal.
  Digest digest_of_range(uint64_t offset, uint64_t length, PageBuffer& buffer);
  int fd() const { return sink_->fd(); }
  /// What open() has found out.
  std::optional<SinkFacts> facts() const {
    const std::lock_guard lock(mutex_);
    return facts_;
  }
  /// Failed, or complete: to be concluded.
  bool ready();
  /// Its sink can fail by itself.
  bool is_pipe() const { return pipe_ != nullptr; }

  // Of the main thread.

  /// A hole counts as content from now on. Throws Error{Protocol}. Then zero().
  void hole(uint64_t offset, uint64_t length);
  /// Makes the hole read as zeros. Blocking, looks for a stop signal; may be called again.
  void zero(uint64_t offset, uint64_t length);
  /// Its END has come. Throws Error{Protocol}.
  void end(uint64_t size, const EntryEnd& end);
  bool has_end() const { return end_.has_value(); }

  /// When it is ready(): sees to length and digest of the whole. Blocking, looks for a stop signal;
  /// may be called again when it was left by an exception.
  void conclude(PageBuffer& buffer);
  /// After that, once. There is no sink when the outcome is a failure.
  Verified take();

 private:
  void fail_locked(ExitStatus status, const std::string& reason);
  bool failed_locked();
  bool open_locked();
  void settle_file_digest(PageBuffer& buffer);
  bool has_too_many_zeros() const { return hole_bytes_ > kMostHashedZeros && pipe_ == nullptr; }

  const uint64_t id_;
  const EntryInfo info_;
  const Negotiated& agreed_;
  std::unique_ptr<Sink> sink_;  // until take()
  PipeSink* const pipe_;        // the sink; null when it keeps its content

  mutable std::mutex mutex_;  // for all that follows
  EntryOutcome outcome_;
  Arrived arrived_;
  bool open_ = false;    // the sink
  bool closed_ = false;  // complete, and being concluded: nothing is written any more
  std::optional<SinkFacts> facts_;
  uint64_t size_ = 0;  // of END
  std::optional<EntryEnd> end_;
  // Flat over the content, as long as that comes in its order.
  std::optional<Hasher> flat_;
  uint64_t flat_bytes_ = 0;
  uint64_t hole_bytes_ = 0;
  std::vector<WrittenBlock> blocks_;  // verified ones, with --verify=disk
};

}  // namespace zx
