// SPDX-License-Identifier: MIT
#include "zrecv/incoming_entry.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {
namespace {

// Write-back of a block this long begins at once; of shorter ones the sync of the batch does it.
constexpr uint32_t kEarlyWriteBackBytes = 1 << 20;

}  // namespace

IncomingEntry::IncomingEntry(uint64_t id, const EntryInfo& info, std::unique_ptr<Sink> sink,
                             const Negotiated& agreed, BlockOrder order)
    : id_(id),
      info_(info),
      agreed_(agreed),
      sink_(std::move(sink)),
      pipe_(sink_->pipe()),
      arrived_(info.open_ended ? kMaxFileBytes : info.size, agreed.block_bytes, order) {
  outcome_.id = id;
  outcome_.name = sink_->name();
  outcome_.output_name = sink_->output_name();
  if (agreed.file_digest && order == BlockOrder::InTurn && pipe_ == nullptr) flat_.emplace();
}

// --- failures

void IncomingEntry::fail_locked(ExitStatus status, const std::string& reason) {
  if (outcome_.status != ExitStatus::Ok) return;  // the first cause counts
  outcome_.status = status;
  outcome_.reason = reason + sink_->remark();
}

void IncomingEntry::fail(ExitStatus status, const std::string& reason) {
  const std::lock_guard lock(mutex_);
  fail_locked(status, reason);
}

bool IncomingEntry::failed_locked() {
  if (pipe_ != nullptr && open_ && !closed_)  // afterwards the sink belongs to the commit
    if (const auto error = pipe_->failure()) fail_locked(error->status(), error->what());
  return outcome_.status != ExitStatus::Ok;
}

// --- blocks

std::optional<Arrived::Claim> IncomingEntry::claim(const FrameHeader& h, uint16_t lane) {
  const std::lock_guard lock(mutex_);
  if (closed_ || failed_locked()) return std::nullopt;
  const Arrived::Claim claim = arrived_.claim(h, lane);
  if (claim.kind == Arrived::Claim::Stale)
    throw Error(ExitStatus::Network, "a block came late: its sender has given this connection up");
  return claim;
}

std::optional<SinkFacts> IncomingEntry::open(const RecvEngines& engines) {
  const std::lock_guard lock(mutex_);
  if (failed_locked() || !open_locked()) return std::nullopt;
  // A guess at the size decides nothing.
  if (!facts_)
    facts_ = engines.look_at(sink_->fd(), info_.open_ended ? 0 : info_.size,
                             agreed_.durability != Durability::None);
  sink_->begin_writing();
  return facts_;
}

bool IncomingEntry::open_locked() {
  if (open_) return true;
  try {
    sink_->open();
    open_ = true;
  } catch (const Error& error) {
    fail_locked(error.status(), error.what());
  }
  return open_;
}

void IncomingEntry::await_room(const FrameHeader& h, std::chrono::milliseconds idle) {
  const auto owes = [&] {
    const std::lock_guard lock(mutex_);
    return arrived_.owes();
  };
  try {
    pipe_->await_room(h.offset + h.length, owes, idle);
  } catch (const Error& error) {
    fail(error.status(), error.what());
  }
}

void IncomingEntry::feed(uint64_t offset, std::span<const std::byte> bytes) {
  // Only the first lane has such entries, but for those whose connection was lost.
  const std::lock_guard lock(mutex_);
  if (!flat_) return;
  if (offset != flat_bytes_) return flat_.reset();
  flat_->update(bytes);
  flat_bytes_ += bytes.size();
}

std::optional<Arrived::Settled> IncomingEntry::settle(const FrameHeader& h, uint16_t lane,
                                                      const Digest& mine,
                                                      const BlockDigest& theirs) {
  const std::lock_guard lock(mutex_);
  if (failed_locked()) return std::nullopt;
  const Arrived::Settled settled = arrived_.settle(lane, mine, theirs);
  if (theirs.length < h.length || settled.kind != Arrived::Settled::Verified) flat_.reset();
  switch (settled.kind) {
    case Arrived::Settled::Verified:
      if (agreed_.verify_disk) blocks_.push_back({h.offset, theirs.length});
      if (pipe_ != nullptr) pipe_->verified(arrived_.prefix());
      // So that the sync at the end is short. A hint: errors show up there.
      if (agreed_.durability != Durability::None && h.length >= kEarlyWriteBackBytes)
        (void)sync_file_range(sink_->fd(), to_off(h.offset), h.length, SYNC_FILE_RANGE_WRITE);
      break;
    case Arrived::Settled::Again:
      ++outcome_.retransmitted_blocks;
      break;
    case Arrived::Settled::Broken:
      fail_locked(ExitStatus::Integrity, sink_->describe() + ": the block at " +
                                             std::to_string(h.offset) + " arrived damaged " +
                                             std::to_string(settled.attempts) + " times");
      break;
  }
  return settled;
}

void IncomingEntry::release(uint16_t lane) {
  const std::lock_guard lock(mutex_);
  arrived_.release(lane);
}

void IncomingEntry::read_back(uint64_t offset, uint64_t length, bool uncached, PageBuffer& buffer,
                              const std::function<void(std::span<const std::byte>)>& take) {
  while (length > 0) {
    const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), length));
    const ssize_t n = pread_full(fd(), piece, offset, uncached);
    if (n != static_cast<ssize_t>(piece.size()))
      return fail(ExitStatus::FileIo, sink_->describe() + ": read what was written: " +
                                          errno_text(n < 0 ? static_cast<int>(-n) : EIO));
    take(piece);
    offset += piece.size();
    length -= piece.size();
  }
}

Digest IncomingEntry::digest_of_range(uint64_t offset, uint64_t length, PageBuffer& buffer) {
  Hasher hasher;
  read_back(offset, length, /*uncached=*/false, buffer, [&](auto piece) {
    hasher.update(piece);
    check_stop();
  });
  return hasher.value();
}

// --- holes

void IncomingEntry::hole(uint64_t offset, uint64_t length) {
  const std::lock_guard lock(mutex_);
  if (failed_locked()) return;
  if (info_.open_ended) protocol("HOLE in an entry of unknown length");
  if (end_) protocol("HOLE after END");
  arrived_.hole(offset, length);
  hole_bytes_ += length;  // they do not overlap
}

void IncomingEntry::zero(uint64_t offset, uint64_t length) {
  {
    const std::lock_guard lock(mutex_);
    if (failed_locked() || !open_locked()) return;
  }
  try {
    sink_->begin_writing();
    sink_->zero(offset, length);
  } catch (const Error& error) {
    return fail(error.status(), error.what());
  }
  const std::lock_guard lock(mutex_);
  if (pipe_ != nullptr) pipe_->verified(arrived_.prefix());
  if (flat_ && offset == flat_bytes_ && !has_too_many_zeros()) {
    Hasher flat = *flat_;  // a lost connection may end this in the middle: then it comes again
    flat.update_zeros(length);
    *flat_ = flat;
    flat_bytes_ += length;
  } else {
    flat_.reset();
  }
}

// --- the end

void IncomingEntry::end(uint64_t size, const EntryEnd& end) {
  const std::lock_guard lock(mutex_);
  if (end_) protocol("END twice for an entry");
  end_ = end;
  size_ = size;
  if (end.failure != ExitStatus::Ok)
    fail_locked(end.failure, "peer: " + quote_peer_text(end.reason, kMaxReasonBytes));
  if (failed_locked()) return;
  if (size != info_.size && !end.changed && !info_.open_ended)
    protocol("END with another size for an unchanged file");
  // Only the one block of a small entry may still be on its way, or be lost and come again.
  if (!arrived_.complete(size) && has_several_blocks())
    protocol("END before all blocks were acknowledged");
}

bool IncomingEntry::ready() {
  const std::lock_guard lock(mutex_);
  return failed_locked() || (end_ && arrived_.complete(size_));
}

void IncomingEntry::conclude(PageBuffer& buffer) {
  {
    const std::lock_guard lock(mutex_);
    const bool failed = failed_locked();
    closed_ = true;
    if (failed) return;
    outcome_.bytes = size_;
    outcome_.changed = end_->changed;
    outcome_.block_sum = arrived_.sum(size_);
    if (end_->block_sum != outcome_.block_sum)
      return fail_locked(ExitStatus::Integrity,
                         sink_->describe() + ": the digests of the blocks do not add up");
    if (!open_locked()) return;  // an empty one gets its file only now
  }
  try {
    sink_->finish(size_);
    if (agreed_.file_digest && !has_too_many_zeros()) settle_file_digest(buffer);
  } catch (const Error& error) {
    fail(error.status(), error.what());
  }
}

void IncomingEntry::settle_file_digest(PageBuffer& buffer) {
  Digest digest{};
  if (pipe_ != nullptr)
    digest = pipe_->digest(size_);
  else if (flat_ && flat_bytes_ == size_)
    digest = flat_->value();
  else
    digest = digest_of_range(0, size_, buffer);
  const std::lock_guard lock(mutex_);
  if (outcome_.status != ExitStatus::Ok) return;
  outcome_.digest = digest;
  if (end_->has_file_digest && end_->file_digest != digest)
    fail_locked(ExitStatus::Integrity,
                sink_->describe() + ": the digest of the file differs though its blocks agree");
}

Verified IncomingEntry::take() {
  const std::lock_guard lock(mutex_);
  // A lane may still be writing into one that has failed.
  const bool failed = outcome_.status != ExitStatus::Ok;
  // What came behind the end of a source that was cut meanwhile counts for nothing.
  std::erase_if(blocks_, [&](const WrittenBlock& block) { return block.offset >= size_; });
  return {outcome_, failed ? nullptr : std::move(sink_), {}, std::move(blocks_)};
}

}  // namespace zx
