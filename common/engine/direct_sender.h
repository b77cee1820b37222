// SPDX-License-Identifier: MIT
// The sender past the page cache: O_DIRECT reads, several at a time and ahead of what is sent,
// across the ends of blocks; each piece is hashed while it is hot and then sent from the same
// memory. So digest and bytes always belong together.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/engine/async_io.h"
#include "common/engine/block_sender.h"
#include "common/file/direct_file.h"

namespace zx {

/// Takes one file after another in order.
class DirectSender final : public BlockSender {
 public:
  DirectSender(Channel& channel, const std::string& why, std::unique_ptr<AsyncIo> io)
      : BlockSender(channel, {Engine::Direct, io->explain(why)}),
        io_(std::move(io)),
        slots_(io_->slots()) {}
  /// Waits for what is in flight: the descriptor must not be closed before.
  ~DirectSender() override { io_->drain(); }

 private:
  struct Slot {
    uint64_t at = 0;
    size_t bytes = 0;  // asked for, then what there is
    int result = 0;
    bool ended = false;
  };

  uint32_t send_unread(const SourceFile& file, uint64_t offset, uint32_t length,
                       const ProgressFn& progress, int* error) override;
  std::span<const std::byte> read_piece(const SourceFile& file, uint64_t offset, size_t max,
                                        int* error) override;
  void read_ahead();
  void settle_head(const SourceFile& file);
  void consume(size_t n);
  void give_up(int error) { fall_back("direct reading does not work on this source", error); }

  std::unique_ptr<AsyncIo> io_;
  std::vector<Slot> slots_;  // a ring: used_ of them from head_ on are being read or were
  size_t head_ = 0, used_ = 0;
  DirectFile direct_;
  uint64_t file_serial_ = 0, file_size_ = 0;
  uint64_t position_ = 0, ahead_ = 0, limit_ = 0;
  bool jumped_ = false;
};

}  // namespace zx
