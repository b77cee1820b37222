// SPDX-License-Identifier: MIT
// IncomingLane: the blocks that one connection brings. DATA and its DIGEST are taken in one go:
// into the file, hashed from what the file then holds (or, past the page cache, from the memory it
// was written from), and answered over the same connection: ACK, or RETRY when it is not what was
// sent. One thread.
#pragma once

#include <optional>

#include "common/base/page_buffer.h"
#include "common/engine/engine_set.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zrecv/open_entries.h"

namespace zx {

/// For Link::wait(): the peer says something in a shorter time, or is lost.
constexpr std::chrono::hours kNoLimit{1};

class IncomingLane {
 public:
  /// number: of this connection, 0 for the first. `engines` are those of the link's channel. All
  /// references must outlive it.
  IncomingLane(uint16_t number, Link& link, RecvEngines& engines, OpenEntries& entries,
               Session& session, Console& console);

  /// A DATA frame was read. Takes its payload and its DIGEST, and queues the answer; that leaves
  /// with the next flush() of the link, or at once when nothing more has come. Blocking, for as
  /// long as the reader of a pipe takes. When it throws, what this lane has claimed is to be
  /// released.
  void take(const FrameHeader& header);

  /// Scratch memory, free between blocks.
  PageBuffer& buffer() { return buffer_; }

 private:
  std::optional<Arrived::Claim> claim(const FrameHeader& header, IncomingEntry& entry);
  void drop(const FrameHeader& header, Bytes ack);
  void take_wanted(const FrameHeader& header, const OpenEntries::Entry& entry);
  std::optional<Digest> write(const FrameHeader& header, IncomingEntry& entry);
  void hash_fresh(IncomingEntry& entry, bool uncached);
  BlockDigest read_digest(const FrameHeader& header);
  void answer(FrameType type, const FrameHeader& header, Bytes body);

  const uint16_t number_;
  Link& link_;
  RecvEngines& engines_;
  OpenEntries& entries_;
  Session& session_;
  Console& console_;
  PageBuffer buffer_;
  // Of the block that is being written.
  Hasher hasher_;
  uint64_t unhashed_offset_ = 0, unhashed_bytes_ = 0;
};

/// A further connection, on its thread: takes what comes, up to its BYE. However it ends, what it
/// has not settled comes over another connection.
void serve_lane(uint16_t number, Link& link, const EngineOptions& options, OpenEntries& entries,
                Session& session, Console& console);

}  // namespace zx
