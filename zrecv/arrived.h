// SPDX-License-Identifier: MIT
// Arrived: what has come of one entry, and whether that is what the sender read. Blocks come over
// several lanes (connections), which may be lost and made again: then blocks come a second time,
// over any lane. Only accounting: no file, no lock, no socket. Violations of the protocol are
// thrown, everything else is an answer. Its memory does not grow with the size of the entry.
//
// A block at one lane:  claim() -> Take -> settle() -> Verified
//                                             |   ^
//                                       Again v   | claim() of the block that was sent again
//                                           damaged
// release() of the lane forgets what it has claimed and what is damaged; what is verified stays.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "common/wire/frame.h"
#include "common/wire/message.h"
#include "zrecv/covered_ranges.h"

namespace zx {

/// Throws Error{Protocol}: "peer sent WHAT".
[[noreturn]] void protocol(const std::string& what);

/// InTurn: each block begins where the one before ended, but for those that come again.
enum class BlockOrder { InTurn, Any };

class Arrived {
 public:
  /// most_bytes: no block may reach further. block_bytes: no block may be longer.
  Arrived(uint64_t most_bytes, uint32_t block_bytes, BlockOrder order);

  struct Claim {
    enum Kind {
      Take,   // the payload is to be written; then settle()
      Known,  // an earlier copy was verified, and its ACK may be lost: `known` is that copy
      Rival,  // the lane `rival` is in the middle of this block: end that lane, then claim again
      Stale,  // a later copy has come: the sender has given up the lane that brings this one
    } kind = Take;
    BlockDigest known = {};
    uint16_t rival = 0;
  };
  /// A DATA frame has come over this lane. Throws Error{Protocol}.
  Claim claim(const FrameHeader& data, uint16_t lane);

  struct Settled {
    enum Kind {
      Verified,
      Again,   // `length` bytes are to be asked for over the same lane
      Broken,  // it was damaged `attempts` times, or too many others are: give the entry up
    } kind = Verified;
    uint32_t length = 0;
    int attempts = 0;
  };
  /// The block that this lane has claimed is all there. `mine`: the digest of its first
  /// theirs.length bytes as they are held now. Throws Error{Protocol}.
  Settled settle(uint16_t lane, const Digest& mine, const BlockDigest& theirs);
  /// The lane is gone, and with it what it has not settled.
  void release(uint16_t lane);
  /// A range without content. Throws Error{Protocol}.
  void hole(uint64_t offset, uint64_t length);

  /// Whether all of an entry of this size is there and verified. Throws Error{Protocol} when what
  /// is there does not fit the size. More than that may be there when a block was short, because
  /// the source was cut meanwhile: what has come behind it counts for nothing.
  bool complete(uint64_t size) const;
  /// Everything before this is verified, without a gap. It only grows.
  uint64_t prefix() const;
  /// The sum of the digests of all blocks of an entry of this size.
  Digest sum(uint64_t size) const;
  /// Blocks may be missing that nothing else here tells of, because a lane was lost or brought
  /// damaged ones: they come behind others.
  bool owes() const { return lane_lost_ || !damaged_.empty(); }

 private:
  struct Claimed {
    uint64_t offset = 0;
    uint32_t length = 0;
    bool resent = false;
  };
  struct Damage {
    uint32_t data_length = 0;  // of its first DATA: what it covers
    uint32_t length = 0;       // of its content: what was asked for
    int attempts = 0;
    uint16_t lane = 0;
  };
  struct Copy {  // a verified one
    uint64_t offset = 0;
    uint32_t data_length = 0;
    BlockDigest digest;
  };

  Claim claim_resent(const FrameHeader& data, uint16_t lane);
  Claim claim_later_attempt(const FrameHeader& data, uint16_t lane);
  bool is_stale(const FrameHeader& data) const;
  std::optional<Copy> take_known(const FrameHeader& data);
  void remember(uint16_t lane, const Copy& copy);
  void cover(uint64_t offset, uint64_t end, const std::string& what);

  const uint64_t most_bytes_;
  const uint32_t block_bytes_;
  const BlockOrder order_;

  CoveredRanges covered_;                // verified, damaged or claimed
  uint64_t next_ = 0;                    // where the last range ends that was ever covered
  std::map<uint16_t, Claimed> claimed_;  // by lane
  std::map<uint64_t, Damage> damaged_;   // by offset
  // Those whose ACK the sender may never get: the last ones of each lane, and of lanes that are
  // gone. Both are bounded.
  std::map<uint16_t, std::deque<Copy>> recent_;
  std::deque<Copy> left_behind_;
  // Of blocks that came again, by offset: the highest attempt. Bounded.
  std::map<uint64_t, uint16_t> attempts_;
  std::optional<uint64_t> short_end_;  // the source ended here, inside a block
  uint64_t verified_end_ = 0;          // of the last verified block
  bool lane_lost_ = false;
  DigestSum sum_;
};

}  // namespace zx
