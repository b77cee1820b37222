// SPDX-License-Identifier: MIT
// The sender by splice(2): file -> private pipe -> socket. Like sendfile(2), which has such a pipe
// of 64 KiB inside; this one is larger, and the count in the pipe is exact.
#pragma once

#include <memory>
#include <string>

#include "common/engine/block_sender.h"
#include "common/engine/readwrite_sender.h"
#include "common/engine/splice_pipe.h"

namespace zx {

class SpliceSender final : public BlockSender {
 public:
  SpliceSender(Channel& channel, std::string why, SplicePipe pipe)
      : channel_(channel), why_(std::move(why)), pipe_(std::move(pipe)) {}

  SentBlock send(const SourceFile& file, uint64_t offset, uint32_t length,
                 std::span<const std::byte> head, Hasher* file_digest,
                 const ProgressFn& progress) override;
  Engine engine() const override { return buffered_ ? Engine::ReadWrite : Engine::Splice; }
  std::string why() const override { return buffered_ ? buffered_->why() : why_; }

 private:
  void empty_pipe(size_t bytes, const ProgressFn& progress);

  Channel& channel_;
  std::string why_;
  SplicePipe pipe_;
  BlockReader reader_;
  std::unique_ptr<ReadWriteSender> buffered_;
};

}  // namespace zx
