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

EntryWriter::EntryWriter(uint64_t id, const EntryInfo& info, const Target& target,
                         const Negotiated& agreed, PageBuffer& read_back)
    : info_(info),
      target_(target),
      agreed_(agreed),
      temp_(*target.dir, target.name),
      buffer_(read_back) {
  outcome_.id = id;
  outcome_.name = target.name;
  const std::string& dir = target.dir->path();
  outcome_.output_name =
      dir == "." ? target.name : dir + (dir.ends_with('/') ? "" : "/") + target.name;
  if (agreed.file_digest) file_hasher_.emplace();
  if (!info.sparse) temp_.preallocate(info.size);
}

void EntryWriter::fail(ExitStatus status, const std::string& reason) {
  if (failed()) return;  // the first cause counts
  outcome_.status = status;
  outcome_.reason = reason;
}

void EntryWriter::check_data_header(const FrameHeader& h) const {
  if (unverified_) protocol("DATA before the DIGEST of the block before");
  if (h.length == 0) protocol("DATA without data");
  if (h.length > agreed_.block_bytes) protocol("DATA longer than a block");
  if ((h.flags & kFlagResent) != 0) {
    const auto damage = damaged_.find(h.offset);
    if (damage == damaged_.end() || damage->second.length != h.length)
      protocol("a block again that was not asked for");
    return;
  }
  uint64_t end = 0;
  if (!add_checked(h.offset, h.length, &end) || end > info_.size)
    protocol("DATA past the announced size");
  if (short_end_) protocol("DATA after a shorter block");
  if (h.offset != next_) protocol("DATA out of order");
}

void EntryWriter::data(const FrameHeader& h, BlockReceiver& engine, Console& console) {
  check_data_header(h);
  const bool resent = (h.flags & kFlagResent) != 0;
  if (!resent) next_ = h.offset + h.length;
  unverified_ = Block{h.offset, h.length, resent, {}};
  block_hasher_.reset();
  unhashed_offset_ = h.offset;
  unhashed_bytes_ = 0;
  read_error_ = 0;
  read_uncached_ = engine.uncached();
  const int error = engine.receive(temp_.fd(), h.offset, h.length,
                                   [&](uint64_t n, std::span<const std::byte> memory) {
                                     if (!resent) console.add_bytes(n);
                                     if (memory.empty())
                                       hash_fresh(n);
                                     else
                                       hash_memory(memory);
                                   });
  if (error != 0)
    return fail(file_status_of_errno(error), temp_.describe() + ": write: " + errno_text(error));
  finish_hashing();
  if (read_error_ != 0)
    return fail(ExitStatus::FileIo,
                temp_.describe() + ": read what was written: " + errno_text(read_error_));
  unverified_->digest = block_hasher_.value();
}

// What counts is what the file holds now, not what was meant to be written: it is read back, from
// the page cache and while it is hot. That catches a fault anywhere between socket and file.
void EntryWriter::hash_fresh(uint64_t bytes) {
  unhashed_bytes_ += bytes;
  if (unhashed_bytes_ >= buffer_.size()) finish_hashing();
}

// What goes past the page cache is not read back: that would bring it in.
void EntryWriter::hash_memory(std::span<const std::byte> memory) {
  finish_hashing();
  block_hasher_.update(memory);
  if (file_hasher_) file_hasher_->update(memory);
  unhashed_offset_ += memory.size();
}

void EntryWriter::finish_hashing() {
  while (unhashed_bytes_ > 0 && read_error_ == 0) {
    const auto piece = buffer_.first(std::min<uint64_t>(buffer_.size(), unhashed_bytes_));
    const ssize_t n = read_uncached_ ? pread_uncached(temp_.fd(), piece, unhashed_offset_)
                                     : pread_full(temp_.fd(), piece, unhashed_offset_);
    if (n != static_cast<ssize_t>(piece.size())) {
      read_error_ = n < 0 ? static_cast<int>(-n) : EIO;
      return;
    }
    block_hasher_.update(piece);
    if (file_hasher_) file_hasher_->update(piece);
    unhashed_offset_ += piece.size();
    unhashed_bytes_ -= piece.size();
  }
}

Digest EntryWriter::digest_of_file_range(uint64_t offset, uint64_t length) {
  Hasher hasher;
  while (length > 0) {
    const auto piece = buffer_.first(std::min<uint64_t>(buffer_.size(), length));
    const ssize_t n = pread_full(temp_.fd(), piece, offset);
    if (n != static_cast<ssize_t>(piece.size())) {
      fail(ExitStatus::FileIo, temp_.describe() + ": read what was written: " +
                                   errno_text(n < 0 ? static_cast<int>(-n) : EIO));
      return {};
    }
    hasher.update(piece);
    offset += piece.size();
    length -= piece.size();
  }
  return hasher.value();
}

void EntryWriter::digest(uint64_t offset, const BlockDigest& theirs,
                         std::optional<uint32_t>* ask_again) {
  if (!unverified_ || unverified_->offset != offset) protocol("a DIGEST without its DATA");
  Block block = *unverified_;
  unverified_.reset();
  if (theirs.length > block.length) protocol("a DIGEST longer than its DATA");
  if (theirs.length < block.length) {  // the rest was padding
    file_hasher_.reset();
    const uint64_t end = offset + theirs.length;
    short_end_ = std::min(short_end_.value_or(end), end);
    block.digest = digest_of_file_range(offset, theirs.length);
    if (failed()) return;
  }
  if (block.digest == theirs.digest) return accept_block(block, theirs.length);

  file_hasher_.reset();
  Damage& damage = damaged_[offset];
  damage.length = theirs.length;
  if (++damage.attempts > kMaxBlockRetries || theirs.length == 0 ||
      damaged_.size() > kMaxDamagedBlocks)
    return fail(ExitStatus::Integrity, temp_.describe() + ": the block at " +
                                           std::to_string(offset) + " arrived damaged " +
                                           std::to_string(damage.attempts) + " times");
  ++outcome_.retransmitted_blocks;
  *ask_again = theirs.length;
}

void EntryWriter::accept_block(const Block& block, uint32_t length) {
  damaged_.erase(block.offset);
  if (length == 0) return;
  sum_.add(block_part(block.offset, length, block.digest));
  verified_end_ = std::max(verified_end_, block.offset + length);
  // Write-back starts now, so that the sync at the end is short. A hint: errors show up there.
  if (agreed_.durability != Durability::None)
    (void)sync_file_range(temp_.fd(), to_off(block.offset), length, SYNC_FILE_RANGE_WRITE);
}

void EntryWriter::hole(uint64_t offset, uint64_t length, Console& console) {
  uint64_t end = 0;
  if (short_end_) protocol("HOLE after a shorter block");
  if (unverified_) protocol("HOLE before the DIGEST of the block before");
  if (offset != next_ || length == 0) protocol("HOLE out of order");
  if (!add_checked(offset, length, &end) || end > info_.size)
    protocol("HOLE past the announced size");
  next_ = end;
  console.add_bytes(length);
  if (file_hasher_) file_hasher_->update_zeros(length);
}

bool EntryWriter::end(uint64_t size, const EntryEnd& end) {
  if (unverified_) protocol("END before the DIGEST of the block before");
  if (end.failure != ExitStatus::Ok) {
    fail(end.failure, "peer: " + quote_peer_text(end.reason));
    return true;
  }
  if (!damaged_.empty()) return false;
  if (size > short_end_.value_or(next_) || size < verified_end_)
    protocol("END with a size that does not fit the data");
  if (size != info_.size && !end.changed) protocol("END with another size for an unchanged file");
  if (end.block_sum != sum_.value()) {
    fail(ExitStatus::Integrity, temp_.describe() + ": the digests of the blocks do not add up");
    return true;
  }
  outcome_.bytes = size;
  outcome_.changed = end.changed;
  struct stat st {};
  if (fstat(temp_.fd(), &st) != 0 || static_cast<uint64_t>(st.st_size) != size) {
    try {
      temp_.truncate(size);
    } catch (const Error& error) {
      fail(error.status(), error.what());
      return true;
    }
  }
  if (agreed_.file_digest) settle_file_digest(size, end);
  return true;
}

void EntryWriter::settle_file_digest(uint64_t size, const EntryEnd& end) {
  outcome_.digest = file_hasher_ ? file_hasher_->value() : digest_of_file_range(0, size);
  outcome_.has_digest = !failed();
  if (end.has_file_digest && !failed() && end.file_digest != outcome_.digest)
    fail(ExitStatus::Integrity,
         temp_.describe() + ": the digest of the file differs though its blocks agree");
}

}  // namespace zx
