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

/// Reads one file after another in order, ahead of the reader.
class DirectReader {
 public:
  explicit DirectReader(std::unique_ptr<AsyncIo> io);
  /// Waits for what is in flight: the descriptor must not be closed before.
  ~DirectReader() { io_->drain(); }
  DirectReader(const DirectReader&) = delete;
  DirectReader& operator=(const DirectReader&) = delete;

  /// From here on next() gives the bytes of the block at `offset` of this file. Free when that is
  /// where it is already; else waits for what is in flight and drops it. Reads ahead across the end
  /// of the block until the first jump within the file: then the next block is another stream's.
  /// Returns 0 or the errno of opening the file with O_DIRECT.
  int seek(const SourceFile& file, uint64_t offset, uint32_t length);
  /// The next bytes, at most `max`, in memory that stays as it is until the next call. Empty where
  /// the file ends, at its size when it was opened or before that, or with *error set. Blocking.
  std::span<const std::byte> next(const SourceFile& file, size_t max, int* error);

  /// errno when the kernel refused a direct read that it should have taken; the bytes were then
  /// read through the cache. 0 otherwise.
  int refused() const { return refused_; }

 private:
  struct Slot {
    uint64_t at = 0;
    size_t bytes = 0;  // asked for, then what there is
    int result = 0;
    bool ended = false;
  };

  void read_ahead();
  void settle_head(const SourceFile& file);
  void consume(size_t n);

  std::unique_ptr<AsyncIo> io_;
  std::vector<Slot> slots_;  // a ring: used_ of them from head_ on are being read or were
  size_t head_ = 0, used_ = 0;
  DirectFile direct_;
  uint64_t file_serial_ = 0, file_size_ = 0;
  uint64_t position_ = 0, ahead_ = 0, limit_ = 0;
  bool jumped_ = false;
  int refused_ = 0;
};

class DirectSender final : public BlockSender {
 public:
  DirectSender(Channel& channel, const std::string& why, std::unique_ptr<AsyncIo> io)
      : BlockSender(channel, {Engine::Direct, io->explain(why)}), reader_(std::move(io)) {}

 private:
  uint32_t send_unread(const SourceFile& file, uint64_t offset, uint32_t length,
                       const ProgressFn& progress, int* error) override;
  std::span<const std::byte> read_piece(const SourceFile& file, uint64_t offset, size_t max,
                                        int* error) override;
  void give_up(int error) { fall_back("direct reading does not work on this source", error); }

  DirectReader reader_;
};

}  // namespace zx
