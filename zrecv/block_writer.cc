// SPDX-License-Identifier: MIT
#include "zrecv/block_writer.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {
namespace {

// Freshly written bytes are hashed when so many have gathered: few calls, and still in cache (as
// fast as 64 KiB on a CPU with 512 KiB of L2, measured).
constexpr size_t kReadBackBytes = 1 << 20;

[[noreturn]] void protocol(const std::string& what) {
  throw Error(ExitStatus::Protocol, "peer sent " + what);
}

}  // namespace

BlockWriter::BlockWriter(uint32_t stream, Link& link, RecvEngines& engines, Console& console)
    : stream_(stream),
      link_(link),
      engines_(engines),
      console_(console),
      resend_engine_(make_buffered_receiver(link.channel())),
      buffer_(kReadBackBytes) {}

void BlockWriter::use_new_channel() {
  resend_engine_ = make_buffered_receiver(link_.channel());
}

void BlockWriter::data(const FrameHeader& h, std::shared_ptr<EntryWriter> entry,
                       const std::function<void(uint32_t)>& evict) {
  if (header_) protocol("DATA before the DIGEST of the block before");
  bool wanted = entry != nullptr;
  known_ = false;
  while (wanted) {
    const EntryWriter::Claim claim = entry->claim(h, stream_);
    wanted = !claim.unwanted;
    known_ = claim.known;
    if (!claim.rival) break;
    evict(*claim.rival);
  }
  header_ = h;
  if (wanted && !known_ && !entry->has_room(h)) {
    // Until then the peer is held by TCP; it must not take that for a dead receiver.
    link_.with_heartbeats([&] { entry->await_room(h, link_.channel().socket().idle_timeout()); });
    wanted = !entry->failed();
  }
  entry_ = nullptr;
  if (!wanted || known_) {
    discard(link_.channel(), h.length);
    block_ = {h.offset, h.length, {}};
  } else {
    write(h, *entry);
  }
  if (!wanted) return;
  if (!entry->failed()) entry_ = std::move(entry);
}

void BlockWriter::write(const FrameHeader& h, EntryWriter& entry) {
  const bool resent = (h.flags & kFlagResent) != 0;
  BlockReceiver& engine = resent ? *resend_engine_ : engines_.pick(entry.sink_facts());
  writing_ = &entry;
  hasher_.reset();
  unhashed_offset_ = h.offset;
  unhashed_bytes_ = 0;
  read_error_ = 0;
  read_uncached_ = engine.uncached();
  const int error = engine.receive(entry.fd(), h.offset, h.length,
                                   [&](uint64_t n, std::span<const std::byte> memory) {
                                     if (!resent) console_.add_bytes(n);
                                     if (memory.empty())
                                       hash_fresh(n);
                                     else
                                       hash_memory(memory);
                                   });
  if (error != 0)
    return entry.fail(file_status_of_errno(error),
                      entry.describe() + ": write: " + errno_text(error));
  finish_hashing();
  if (read_error_ != 0)
    return entry.fail(ExitStatus::FileIo,
                      entry.describe() + ": read what was written: " + errno_text(read_error_));
  block_ = {h.offset, h.length, hasher_.value()};
}

// What counts is what the file holds now, not what was meant to be written: it is read back, from
// the page cache and while it is hot. That catches a fault anywhere between socket and file.
void BlockWriter::hash_fresh(uint64_t bytes) {
  unhashed_bytes_ += bytes;
  if (unhashed_bytes_ >= buffer_.size()) finish_hashing();
}

// What goes past the page cache is not read back: that would bring it in.
void BlockWriter::hash_memory(std::span<const std::byte> memory) {
  finish_hashing();
  hasher_.update(memory);
  if (Hasher* flat = writing_->flat_hasher()) flat->update(memory);
  unhashed_offset_ += memory.size();
}

void BlockWriter::finish_hashing() {
  while (unhashed_bytes_ > 0 && read_error_ == 0) {
    const auto piece = buffer_.first(std::min<uint64_t>(buffer_.size(), unhashed_bytes_));
    const ssize_t n = read_uncached_ ? pread_uncached(writing_->fd(), piece, unhashed_offset_)
                                     : pread_full(writing_->fd(), piece, unhashed_offset_);
    if (n != static_cast<ssize_t>(piece.size())) {
      read_error_ = n < 0 ? static_cast<int>(-n) : EIO;
      return;
    }
    hasher_.update(piece);
    if (Hasher* flat = writing_->flat_hasher()) flat->update(piece);
    unhashed_offset_ += piece.size();
    unhashed_bytes_ -= piece.size();
  }
}

void BlockWriter::digest(const FrameHeader& h, const BlockDigest& theirs,
                         std::optional<uint32_t>* ask_again) {
  if (!header_ || header_->entry != h.entry || header_->offset != h.offset)
    protocol("a DIGEST without its DATA");
  header_.reset();
  const auto entry = std::exchange(entry_, nullptr);
  if (!entry) return;
  if (theirs.length > block_.length) protocol("a DIGEST longer than its DATA");
  if (theirs.length < block_.length && !known_)
    block_.digest = entry->digest_of_file_range(h.offset, theirs.length, buffer_);
  entry->settle(block_, stream_, theirs, ask_again);
}

void BlockWriter::require_settled(const EntryWriter& entry, const char* what) const {
  if (header_ && entry_.get() == &entry)
    protocol(std::string(what) + " before the DIGEST of the block before");
}

}  // namespace zx
