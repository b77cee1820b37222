// SPDX-License-Identifier: MIT
#include "zrecv/entry_writer.h"

#include <fcntl.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {
namespace {

[[noreturn]] void protocol(const std::string& what) {
  throw Error(ExitStatus::Protocol, "peer sent " + what);
}

}  // namespace

EntryWriter::EntryWriter(uint64_t id, const EntryInfo& info, std::unique_ptr<EntrySink> sink,
                         const Negotiated& agreed, bool parallel)
    : info_(info), agreed_(agreed), parallel_(parallel), sink_(std::move(sink)) {
  outcome_.id = id;
  outcome_.name = sink_->name();
  outcome_.output_name = sink_->output_name();
  if (agreed.file_digest && !parallel && sink_->keeps_content()) file_hasher_.emplace();
}

void EntryWriter::fail_locked(ExitStatus status, const std::string& reason) {
  if (outcome_.status != ExitStatus::Ok) return;  // the first cause counts
  outcome_.status = status;
  outcome_.reason = reason + sink_->remark();
}

void EntryWriter::fail(ExitStatus status, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  fail_locked(status, reason);
}

bool EntryWriter::failed() {
  const std::lock_guard lock(mutex_);
  if (const auto error = sink_->failure()) fail_locked(error->status(), error->what());
  return outcome_.status != ExitStatus::Ok;
}

bool EntryWriter::has_room(const FrameHeader& h) const {
  return sink_->has_room(h.offset + h.length);
}

void EntryWriter::await_room(const FrameHeader& h, std::chrono::seconds idle) {
  const auto owed = [&] {
    const std::lock_guard lock(mutex_);
    return stream_lost_ || !damaged_.empty();
  };
  sink_->await_room(h.offset + h.length, owed, idle);
}

uint64_t EntryWriter::verified_prefix() const {
  const std::lock_guard lock(mutex_);
  return prefix_locked();
}

uint64_t EntryWriter::prefix_locked() const {
  uint64_t prefix = covered_.contiguous_end();
  if (!damaged_.empty()) prefix = std::min(prefix, damaged_.begin()->first);
  for (const auto& [stream, range] : claimed_)
    if (!known_.contains(stream)) prefix = std::min(prefix, range.offset);
  return prefix;
}

EntryWriter::Claim EntryWriter::claim(const FrameHeader& h, uint32_t stream) {
  const std::lock_guard lock(mutex_);
  if (closed_ && stream != 0)
    throw Error(ExitStatus::Network, "a block came late: its entry is complete");
  if (outcome_.status != ExitStatus::Ok) return {.unwanted = true, .rival = {}};
  if (!parallel_ && stream != 0) protocol("a block on a further connection for an entry of one");
  if (h.length == 0) protocol("DATA without data");
  if (h.length > agreed_.block_bytes) protocol("DATA longer than a block");
  const Range range{h.offset, h.length};
  if ((h.flags & kFlagResent) != 0) {
    const auto damage = damaged_.find(h.offset);
    if (damage == damaged_.end() || damage->second.length != h.length ||
        damage->second.stream != stream)
      protocol("a block again that was not asked for");
    claimed_[stream] = range;
    return {};
  }
  uint64_t end = 0;
  if (!add_checked(h.offset, h.length, &end) || end > most_bytes())
    protocol("DATA past the announced size");
  const uint16_t attempt = attempt_of(h.flags);
  if (parallel_) {
    require_latest(range, attempt);
    if (attempt > 0) {
      if (const auto rival = rival_for(range, stream)) return {.rival = rival};
      attempts_[h.offset] = {h.length, attempt};
      if (is_known_again(range, stream)) {
        claimed_[stream] = range;
        return {.known = true, .rival = {}};
      }
    }
  } else {
    if (attempt != 0) protocol("DATA with unknown flags");
    if (short_end_) protocol("DATA after a shorter block");
    if (h.offset != covered_.contiguous_end()) protocol("DATA out of order");
  }
  if (!covered_.add(h.offset, end)) protocol("DATA over what it has sent before");
  if (covered_.count() > kMaxCoveredRanges) protocol("DATA with too many gaps");
  claimed_[stream] = range;
  sink_->begin_writing();
  return {};
}

// What was on its way over a lost connection may be read here after the block has come over
// another.
void EntryWriter::require_latest(const Range& range, uint16_t attempt) {
  const auto known = attempts_.find(range.offset);
  if (known != attempts_.end() && known->second.first == range.length &&
      known->second.second >= attempt)
    throw Error(ExitStatus::Network, "a block came late: its sender has given this connection up");
  if (attempts_.size() >= kMaxUnacknowledged * kMaxStreams) protocol("too many blocks again");
}

// A sender that has lost a connection sends its blocks over another, maybe before the loss is
// noticed here. Two streams never write the same bytes at a time.
std::optional<uint32_t> EntryWriter::rival_for(const Range& range, uint32_t stream) const {
  for (const auto& [other, claimed] : claimed_)
    if (other != 0 && other != stream && claimed == range) return other;
  const auto damage = damaged_.find(range.offset);
  if (damage == damaged_.end() || damage->second.data_length != range.length) return std::nullopt;
  const uint32_t other = damage->second.stream;
  return other != 0 && other != stream ? std::optional(other) : std::nullopt;
}

// The same when the block was verified but the sender has not heard it: only what comes now counts.
// Unless what was verified cannot be taken back any more: then true, and what comes must be the
// same.
bool EntryWriter::is_known_again(const Range& range, uint32_t stream) {
  for (auto& [other, blocks] : recent_) {
    const auto found =
        std::ranges::find_if(blocks, [&](const Verified& v) { return v.range == range; });
    if (other == stream || found == blocks.end()) continue;
    if (!sink_->keeps_content()) {
      known_[stream] = *found;
      return true;
    }
    if (found->length > 0) sum_.subtract(block_part(range.offset, found->length, found->digest));
    covered_.remove(range.offset, range.offset + range.length);
    blocks.erase(found);
    return false;
  }
  return false;
}

// True when the block was one that is_known_again().
bool EntryWriter::settle_known(uint32_t stream, const BlockDigest& theirs) {
  const auto node = known_.extract(stream);
  if (node.empty()) return false;
  const Verified& known = node.mapped();
  if (theirs.length != known.length || theirs.digest != known.digest)
    fail_locked(ExitStatus::Integrity,
                describe() + ": the block at " + std::to_string(known.range.offset) +
                    " was handed on, then came again with other content: the source has changed");
  return true;
}

void EntryWriter::release(uint32_t stream) {
  const std::lock_guard lock(mutex_);
  stream_lost_ = true;
  const bool known = known_.erase(stream) > 0;
  const auto claimed = claimed_.find(stream);
  if (claimed != claimed_.end()) {
    const Range range = claimed->second;
    if (!known && !damaged_.contains(range.offset))
      covered_.remove(range.offset, range.offset + range.length);
    claimed_.erase(claimed);
  }
  std::erase_if(damaged_, [&](const auto& item) {
    const auto& [offset, damage] = item;
    if (damage.stream != stream) return false;
    covered_.remove(offset, offset + damage.data_length);
    return true;
  });
}

Digest EntryWriter::digest_of_file_range(uint64_t offset, uint64_t length, PageBuffer& buffer) {
  Hasher hasher;
  while (length > 0) {
    const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), length));
    const ssize_t n = pread_full(sink_->fd(), piece, offset);
    if (n != static_cast<ssize_t>(piece.size())) {
      fail(ExitStatus::FileIo, sink_->describe() + ": read what was written: " +
                                   errno_text(n < 0 ? static_cast<int>(-n) : EIO));
      return {};
    }
    hasher.update(piece);
    offset += piece.size();
    length -= piece.size();
  }
  return hasher.value();
}

void EntryWriter::settle(const ReceivedBlock& block, uint32_t stream, const BlockDigest& theirs,
                         std::optional<uint32_t>* ask_again) {
  const std::lock_guard lock(mutex_);
  claimed_.erase(stream);
  if (settle_known(stream, theirs) || outcome_.status != ExitStatus::Ok) return;
  if (theirs.length < block.length) {  // the rest was padding
    file_hasher_.reset();
    const uint64_t end = block.offset + theirs.length;
    short_end_ = std::min(short_end_.value_or(end), end);
  }
  if (block.digest == theirs.digest) return accept(block, stream, theirs.length);

  file_hasher_.reset();
  const auto [at, first] = damaged_.try_emplace(block.offset);
  Damage& damage = at->second;
  if (first) damage.data_length = block.length;
  damage.length = theirs.length;
  damage.stream = stream;
  if (++damage.attempts > kMaxBlockRetries || theirs.length == 0 ||
      damaged_.size() > kMaxDamagedBlocks)
    return fail_locked(ExitStatus::Integrity,
                       sink_->describe() + ": the block at " + std::to_string(block.offset) +
                           " arrived damaged " + std::to_string(damage.attempts) + " times");
  ++outcome_.retransmitted_blocks;
  *ask_again = theirs.length;
}

void EntryWriter::accept(const ReceivedBlock& block, uint32_t stream, uint32_t length) {
  Verified verified{{block.offset, block.length}, length, block.digest};
  const auto damage = damaged_.find(block.offset);
  if (damage != damaged_.end()) {
    verified.range.length = damage->second.data_length;
    damaged_.erase(damage);
  }
  if (parallel_ && stream != 0) {
    auto& recent = recent_[stream];
    if (recent.size() == kMaxUnacknowledged) recent.pop_front();
    recent.push_back(verified);
  }
  if (length == 0) return;
  sum_.add(block_part(block.offset, length, block.digest));
  verified_end_ = std::max(verified_end_, block.offset + length);
  tell_sink();
  // Write-back starts now, so that the sync at the end is short. A hint: errors show up there.
  if (agreed_.durability != Durability::None)
    (void)sync_file_range(sink_->fd(), to_off(block.offset), length, SYNC_FILE_RANGE_WRITE);
}

// What is behind a shorter block is padding.
void EntryWriter::tell_sink() {
  sink_->verified(std::min(prefix_locked(), short_end_.value_or(UINT64_MAX)));
}

void EntryWriter::hole(uint64_t offset, uint64_t length, Console& console) {
  {
    const std::lock_guard lock(mutex_);
    uint64_t end = 0;
    if (info_.open_ended) protocol("HOLE in an entry of unknown length");
    if (short_end_ && !parallel_) protocol("HOLE after a shorter block");
    if (length == 0 || (!parallel_ && offset != covered_.contiguous_end()))
      protocol("HOLE out of order");
    if (!add_checked(offset, length, &end) || end > info_.size)
      protocol("HOLE past the announced size");
    if (!covered_.add(offset, end)) protocol("HOLE over what it has sent before");
    if (covered_.count() > kMaxCoveredRanges) protocol("HOLE with too many gaps");
    tell_sink();
  }
  try {
    sink_->begin_writing();
    sink_->zero(offset, length);
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  }
  console.add_bytes(length);
  if (file_hasher_) file_hasher_->update_zeros(length);
}

bool EntryWriter::end(uint64_t size, const EntryEnd& end, PageBuffer& buffer) {
  {
    const std::lock_guard lock(mutex_);
    if (outcome_.status != ExitStatus::Ok) return closed_ = true;
    if (end.failure != ExitStatus::Ok) {
      fail_locked(end.failure, "peer: " + quote_peer_text(end.reason));
      return closed_ = true;
    }
    if (!claimed_.empty()) protocol("END before the DIGEST of a block");
    if (!damaged_.empty()) return false;
    closed_ = true;
    if (size > std::min(short_end_.value_or(UINT64_MAX), covered_.contiguous_end()) ||
        size < verified_end_)
      protocol("END with a size that does not fit the data");
    if (size != info_.size && !end.changed && !info_.open_ended)
      protocol("END with another size for an unchanged file");
    if (end.block_sum != sum_.value()) {
      fail_locked(ExitStatus::Integrity,
                  sink_->describe() + ": the digests of the blocks do not add up");
      return true;
    }
    outcome_.bytes = size;
    outcome_.changed = end.changed;
  }
  try {
    sink_->finish(size);
  } catch (const Error& error) {
    fail(error.status(), error.what());
    return true;
  }
  if (agreed_.file_digest) settle_file_digest(size, end, buffer);
  return true;
}

void EntryWriter::settle_file_digest(uint64_t size, const EntryEnd& end, PageBuffer& buffer) {
  if (!sink_->keeps_content())
    outcome_.digest = sink_->digest(size);
  else
    outcome_.digest = file_hasher_ ? file_hasher_->value() : digest_of_file_range(0, size, buffer);
  outcome_.has_digest = !failed();
  if (end.has_file_digest && !failed() && end.file_digest != outcome_.digest)
    fail(ExitStatus::Integrity,
         sink_->describe() + ": the digest of the file differs though its blocks agree");
}

}  // namespace zx
