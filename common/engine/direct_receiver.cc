// SPDX-License-Identifier: MIT
#include "common/engine/direct_receiver.h"

#include <algorithm>
#include <cerrno>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/io.h"
#include "common/file/direct_file.h"

namespace zx {
namespace {

// The disk is judged over this time of receiving: longer than it stops now and then.
constexpr auto kJudgedTime = std::chrono::seconds(1);

}  // namespace

int DirectReceiver::receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) {
  // Opened for each block, some ten microseconds: so nothing is remembered about files that come
  // and go.
  const DirectFile direct = fell_back() ? DirectFile{} : open_direct(file, DirectAccess::Write);
  if (direct.error != 0) give_up(direct.error);
  if (!fell_back() && direct.align > io_->slot_bytes()) give_up(EOPNOTSUPP);
  if (fell_back()) return BlockReceiver::receive(file, offset, length, fresh);

  // When the channel throws: before `direct` is closed, since another file may get its number while
  // a thread still has a request for it.
  const Defer nothing_in_flight([this] {
    io_->drain();
    for (Slot& slot : slots_) slot.busy = false;
  });
  const Gathering::Block block(gathering_, length);
  const auto begin = Clock::now();
  const uint64_t end = offset + length;
  uint64_t at = offset;
  int error = 0;
  while (at < end && error == 0) {
    const size_t index = free_slot(file, &error);
    if (error != 0) break;
    const uint64_t past_unit = at % direct.align, left = end - at;
    // Whole units from a whole unit on, else up to the next one.
    const bool whole = past_unit == 0 && left >= direct.align;
    const uint64_t bytes = whole ? std::min<uint64_t>(io_->slot_bytes(), left - left % direct.align)
                                 : std::min(direct.align - past_unit, left);
    const auto piece = io_->slot(index).first(static_cast<size_t>(bytes));
    fill(piece, end - at);
    if (whole) {
      slots_[index] = {at, piece.size(), true};
      io_->write(index, direct.fd.get(), at, piece.size());
    } else {
      // A page is never in both ways at a time: where pages are larger than units they would undo
      // each other.
      reap_all(file, &error);
      if (error == 0) error = -pwrite_full(file, piece, at);
    }
    at += bytes;
    if (error == 0) fresh(bytes, piece);  // hashed while it is on its way, and hot
  }
  reap_all(file, &error);
  judge_disk(Clock::now() - begin);
  if (error != 0) discard(channel_, end - at);
  return error;
}

// `rest`: of the block, this piece included.
void DirectReceiver::fill(std::span<std::byte> piece, uint64_t rest) {
  while (!piece.empty()) {
    if (channel_.held().empty()) gathering_.wait(rest);
    const size_t got = channel_.recv_some(piece);
    if (got == 0) channel_.broken_off();
    gathering_.took(got, piece.size());
    piece = piece.subspan(got);
    rest -= got;
  }
}

size_t DirectReceiver::free_slot(int file, int* error) {
  for (;;) {
    for (size_t i = 0; i < slots_.size(); ++i)
      if (!slots_[i].busy) return i;
    reap(file, error);
  }
}

// Takes the end of one write. The rest of a short one, and one that was refused and did not fail,
// is written through the cache.
void DirectReceiver::reap(int file, int* error) {
  const auto begin = Clock::now();
  const AsyncIo::Done done = io_->wait();
  waited_ += Clock::now() - begin;
  Slot& slot = slots_[done.slot];
  slot.busy = false;
  if (done.result >= 0 && static_cast<size_t>(done.result) == slot.bytes) return;
  if (*error != 0) return;
  if (is_unsupported(-done.result)) {
    give_up(-done.result);
  } else if (done.result < 0 && done.result != -EAGAIN && done.result != -EINTR) {
    *error = -done.result;
    return;
  }
  const size_t written = static_cast<size_t>(std::max(done.result, 0));
  *error = -pwrite_full(file, io_->slot(done.slot).subspan(written, slot.bytes - written),
                        slot.at + written);
}

void DirectReceiver::reap_all(int file, int* error) {
  while (io_->in_flight() > 0) reap(file, error);
}

void DirectReceiver::judge_disk(Clock::duration time) {
  spent_ += time;
  if (spent_ < kJudgedTime) return;
  behind_ = waited_ > spent_ / 2;
  spent_ = waited_ = {};
}

}  // namespace zx
