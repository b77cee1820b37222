// SPDX-License-Identifier: MIT
#include "zrecv/arrived.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {
namespace {

// What is remembered of lanes that are gone, and of blocks that came again: as much as all lanes
// can have on their way when all are lost at once. The oldest, or the lowest, goes first.
constexpr size_t kMaxRemembered = kMaxUnacknowledged * kMaxStreams;

}  // namespace

void protocol(const std::string& what) {
  throw Error(ExitStatus::Protocol, "peer sent " + what);
}

Arrived::Arrived(uint64_t most_bytes, uint32_t block_bytes, BlockOrder order)
    : most_bytes_(most_bytes), block_bytes_(block_bytes), order_(order) {}

Arrived::Claim Arrived::claim(const FrameHeader& h, uint16_t lane) {
  if (claimed_.contains(lane)) protocol("DATA before the DIGEST of the block before");
  if (h.length == 0) protocol("DATA without data");
  if (h.length > block_bytes_) protocol("DATA longer than a block");
  uint64_t end = 0;
  if (!add_checked(h.offset, h.length, &end) || end > most_bytes_)
    protocol("DATA past the announced size");
  if ((h.flags & kFlagResent) != 0) return claim_resent(h, lane);
  if (is_stale(h)) return {.kind = Claim::Stale};
  if (attempt_of(h.flags) > 0) return claim_later_attempt(h, lane);
  if (order_ == BlockOrder::InTurn && short_end_) protocol("DATA after a shorter block");
  if (order_ == BlockOrder::InTurn && h.offset != next_) protocol("DATA out of order");
  cover(h.offset, end, "DATA");
  claimed_[lane] = {h.offset, h.length, false};
  return {};
}

// It comes over the lane that has brought the damaged one.
Arrived::Claim Arrived::claim_resent(const FrameHeader& h, uint16_t lane) {
  const auto damage = damaged_.find(h.offset);
  const bool asked =
      damage != damaged_.end() && damage->second.length == h.length && damage->second.lane == lane;
  if (!asked && is_stale(h)) return {.kind = Claim::Stale};
  if (!asked) protocol("a block again that was not asked for");
  claimed_[lane] = {h.offset, h.length, true};
  return {};
}

// The lane that was to bring the block is lost for the sender, though maybe not yet for this side.
Arrived::Claim Arrived::claim_later_attempt(const FrameHeader& h, uint16_t lane) {
  for (const auto& [other, claimed] : claimed_)
    if (claimed.offset == h.offset) return {.kind = Claim::Rival, .rival = other};
  const auto copy = take_known(h);
  if (!copy) {
    const auto damage = damaged_.find(h.offset);
    if (damage != damaged_.end() && h.length <= damage->second.data_length) {
      covered_.remove(h.offset, h.offset + damage->second.data_length);
      damaged_.erase(damage);
    }
    cover(h.offset, h.offset + h.length, "DATA");
    claimed_[lane] = {h.offset, h.length, false};
  }
  if (attempts_.size() >= kMaxRemembered && !attempts_.contains(h.offset))
    attempts_.erase(attempts_.begin());
  attempts_[h.offset] = attempt_of(h.flags);
  if (!copy) return {};
  remember(lane, *copy);
  return {.kind = Claim::Known, .known = copy->digest};
}

// What was on its way over a lost lane may be read here after the block has come over another.
bool Arrived::is_stale(const FrameHeader& h) const {
  const auto latest = attempts_.find(h.offset);
  return latest != attempts_.end() && attempt_of(h.flags) <= latest->second;
}

std::optional<Arrived::Copy> Arrived::take_known(const FrameHeader& h) {
  const auto take = [&](std::deque<Copy>& copies) -> std::optional<Copy> {
    const auto found = std::ranges::find(copies, h.offset, &Copy::offset);
    if (found == copies.end() || h.length > found->data_length) return std::nullopt;
    const Copy copy = *found;
    copies.erase(found);
    return copy;
  };
  if (const auto copy = take(left_behind_)) return copy;
  for (auto& [lane, copies] : recent_)
    if (const auto copy = take(copies)) return copy;
  return std::nullopt;
}

void Arrived::remember(uint16_t lane, const Copy& copy) {
  auto& copies = recent_[lane];
  if (copies.size() == kMaxUnacknowledged) copies.pop_front();
  copies.push_back(copy);
}

void Arrived::cover(uint64_t offset, uint64_t end, const std::string& what) {
  if (!covered_.add(offset, end)) protocol(what + " over what it has sent before");
  if (covered_.count() > kMaxCoveredRanges) protocol(what + " with too many gaps");
  next_ = std::max(next_, end);
}

Arrived::Settled Arrived::settle(uint16_t lane, const Digest& mine, const BlockDigest& theirs) {
  const auto node = claimed_.extract(lane);
  if (node.empty()) protocol("a DIGEST without its DATA");
  const Claimed& block = node.mapped();
  if (theirs.length > block.length) protocol("a DIGEST longer than its DATA");
  const auto damage = damaged_.find(block.offset);
  const bool damaged_before = damage != damaged_.end();
  if (mine != theirs.digest) {
    Damage& now = damaged_before ? damage->second : damaged_[block.offset];
    if (!damaged_before) now.data_length = block.length;
    now.length = theirs.length;
    now.lane = lane;
    ++now.attempts;
    const bool hopeless = now.attempts > kMaxBlockRetries || theirs.length == 0 ||
                          damaged_.size() > kMaxDamagedBlocks;
    return {hopeless ? Settled::Broken : Settled::Again, theirs.length, now.attempts};
  }
  uint32_t covers = block.length;
  if (damaged_before) {
    covers = damage->second.data_length;
    damaged_.erase(damage);
  }
  remember(lane, {block.offset, covers, {theirs.length, mine}});
  const uint64_t end = block.offset + theirs.length;
  if (theirs.length < covers) short_end_ = std::min(short_end_.value_or(end), end);
  if (theirs.length == 0) return {};
  sum_.add(block_part(block.offset, theirs.length, mine));
  verified_end_ = std::max(verified_end_, end);
  return {};
}

void Arrived::release(uint16_t lane) {
  lane_lost_ = true;
  const auto node = claimed_.extract(lane);
  if (!node.empty() && !node.mapped().resent)
    covered_.remove(node.mapped().offset, node.mapped().offset + node.mapped().length);
  std::erase_if(damaged_, [&](const auto& item) {
    const auto& [offset, damage] = item;
    if (damage.lane != lane) return false;
    covered_.remove(offset, offset + damage.data_length);
    return true;
  });
  const auto copies = recent_.extract(lane);
  if (copies.empty()) return;
  left_behind_.insert(left_behind_.end(), copies.mapped().begin(), copies.mapped().end());
  while (left_behind_.size() > kMaxRemembered) left_behind_.pop_front();
}

// In any order: a hole is told again when a connection is lost, before the blocks that were sent
// ahead of it.
void Arrived::hole(uint64_t offset, uint64_t length) {
  uint64_t end = 0;
  if (length == 0) protocol("HOLE of no length");
  if (!add_checked(offset, length, &end) || end > most_bytes_)
    protocol("HOLE past the announced size");
  if (order_ == BlockOrder::InTurn && short_end_ && offset >= *short_end_)
    protocol("HOLE after a shorter block");
  cover(offset, end, "HOLE");
}

bool Arrived::complete(uint64_t size) const {
  const bool cut = short_end_ == size;
  if (size > most_bytes_ || (size < verified_end_ && !cut) ||
      size > short_end_.value_or(UINT64_MAX))
    protocol("END with a size that does not fit the data");
  return claimed_.empty() && damaged_.empty() && covered_.contiguous_end() >= size;
}

// Behind the size are blocks that came while one before them was missing: no more than are
// remembered.
Digest Arrived::sum(uint64_t size) const {
  DigestSum sum = sum_;
  const auto remove_behind = [&](const std::deque<Copy>& copies) {
    for (const Copy& copy : copies)
      if (copy.offset >= size && copy.digest.length > 0)
        sum.remove(block_part(copy.offset, copy.digest.length, copy.digest.digest));
  };
  if (size < verified_end_) {
    remove_behind(left_behind_);
    for (const auto& [lane, copies] : recent_) remove_behind(copies);
  }
  return sum.value();
}

uint64_t Arrived::prefix() const {
  uint64_t prefix = covered_.contiguous_end();
  if (!damaged_.empty()) prefix = std::min(prefix, damaged_.begin()->first);
  for (const auto& [lane, claimed] : claimed_) prefix = std::min(prefix, claimed.offset);
  return std::min(prefix, short_end_.value_or(UINT64_MAX));  // behind it is padding
}

}  // namespace zx
