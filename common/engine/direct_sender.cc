// SPDX-License-Identifier: MIT
#include "common/engine/direct_sender.h"

#include <algorithm>
#include <cerrno>

#include "common/base/io.h"

namespace zx {

// Nothing leaves unread. From here on the next bytes are those at `offset` of this file. Free when
// that is where it is already; else waits for what is in flight and drops it. Reads ahead across
// the end of the block until the first jump within the file: then the next block is another
// stream's.
uint32_t DirectSender::send_unread(const SourceFile& file, uint64_t offset, uint32_t length,
                                   const ProgressFn& /*progress*/, int* /*error*/) {
  if (fell_back()) return 0;
  const bool same = file.serial() == file_serial_ && direct_.fd.valid();
  if (!same || offset != position_) jumped_ = same;
  if (same) limit_ = jumped_ ? std::min(file_size_, offset + length) : file_size_;
  if (same && offset == position_) return 0;
  io_->drain();
  used_ = 0;
  if (!same) {
    file_serial_ = file.serial();
    direct_ = open_direct(file.fd(), DirectAccess::Read);
    if (direct_.error == 0 && direct_.align > io_->slot_bytes()) direct_.error = EOPNOTSUPP;
    if (direct_.error != 0) {
      give_up(direct_.error);
      return 0;
    }
    file_size_ = limit_ = file.size();
  }
  position_ = offset;
  ahead_ = offset - offset % direct_.align;
  return 0;
}

void DirectSender::read_ahead() {
  while (used_ < slots_.size() && ahead_ < limit_) {
    const size_t index = (head_ + used_) % slots_.size();
    // To the end of a slot's worth of the file, and past the limit to a whole unit.
    const uint64_t left = (limit_ - ahead_ + direct_.align - 1) / direct_.align * direct_.align;
    const auto bytes = static_cast<size_t>(std::min<uint64_t>(io_->slot_bytes(), left));
    slots_[index] = {ahead_, bytes, 0, false};
    io_->read(index, direct_.fd.get(), ahead_, bytes);
    ++used_;
    ahead_ += bytes;
  }
}

// What a direct read could not or did not do is done by an ordinary one, which tells the truth
// about errors and the end of the file.
void DirectSender::settle_head(const SourceFile& file) {
  Slot& slot = slots_[head_];
  while (!slot.ended) {
    const AsyncIo::Done done = io_->wait();
    slots_[done.slot].result = done.result;
    slots_[done.slot].ended = true;
  }
  if (slot.result == -EINVAL || slot.result == -EOPNOTSUPP) give_up(-slot.result);
  const uint64_t expected = std::min<uint64_t>(slot.bytes, file_size_ - slot.at);
  if (slot.result < 0 || static_cast<uint64_t>(slot.result) < expected)
    slot.result = static_cast<int>(
        pread_full(file.fd(), io_->slot(head_).first(static_cast<size_t>(expected)), slot.at));
  slot.bytes =
      static_cast<size_t>(std::clamp<int64_t>(slot.result, 0, static_cast<int64_t>(expected)));
}

// Empty where the file ends, at its size when it was opened or before that.
std::span<const std::byte> DirectSender::read_piece(const SourceFile& file, uint64_t offset,
                                                    size_t max, int* error) {
  if (fell_back()) return BlockSender::read_piece(file, offset, max, error);
  read_ahead();
  if (used_ == 0) return {};
  if (!slots_[head_].ended) settle_head(file);
  const Slot& slot = slots_[head_];
  if (slot.result < 0) *error = -slot.result;
  if (position_ >= slot.at + slot.bytes) return {};
  const auto skip = static_cast<size_t>(position_ - slot.at);
  const auto piece = io_->slot(head_).subspan(skip, std::min(max, slot.bytes - skip));
  consume(piece.size());
  return piece;
}

void DirectSender::consume(size_t n) {
  position_ += n;
  const Slot& slot = slots_[head_];
  // A slot that was short, because the file ends there now, stays: there is nothing behind it.
  const size_t next = (head_ + 1) % slots_.size();
  const uint64_t end = used_ > 1 ? slots_[next].at : std::min(ahead_, file_size_);
  if (position_ < slot.at + slot.bytes || position_ < end) return;
  head_ = next;
  --used_;
}

}  // namespace zx
