// SPDX-License-Identifier: MIT
// The receiver past the page cache: into page-aligned memory, and from there by O_DIRECT writes,
// several at a time. What is verified is the memory that was written, not what the disk then holds.
// What does not fill a whole unit of the disk, at most a page at either end of a block, goes
// through the cache.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/engine/async_io.h"
#include "common/engine/block_receiver.h"
#include "common/engine/gathering.h"

namespace zx {

class DirectReceiver final : public BlockReceiver {
 public:
  DirectReceiver(Channel& channel, const std::string& why, std::unique_ptr<AsyncIo> io)
      : BlockReceiver(channel, {Engine::Direct, io->explain(why)}),
        io_(std::move(io)),
        slots_(io_->slots()) {}

  int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) override;
  bool disk_is_behind() const override { return behind_; }

 private:
  struct Slot {
    uint64_t at = 0;
    size_t bytes = 0;
    bool busy = false;
  };

  void fill(std::span<std::byte> piece, uint64_t rest);
  size_t free_slot(int file, int* error);
  void reap(int file, int* error);
  void reap_all(int file, int* error);
  void give_up(int error) { fall_back("direct writing does not work on this destination", error); }
  /// Adds the time of one block. After each second of them: was half of it waiting for the disk?
  void judge_disk(Clock::duration time);

  std::unique_ptr<AsyncIo> io_;
  std::vector<Slot> slots_;
  Gathering gathering_{channel_};
  // Since the last judgement of the disk.
  Clock::duration spent_{}, waited_{};
  bool behind_ = false;
};

}  // namespace zx
