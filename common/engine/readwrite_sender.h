// SPDX-License-Identifier: MIT
// The sender through a buffer in user space: over any channel, and what the others fall back to.
#pragma once

#include <string>

#include "common/engine/block_reader.h"
#include "common/engine/block_sender.h"

namespace zx {

class ReadWriteSender final : public BlockSender {
 public:
  /// buffer_bytes: a multiple of 4096. uncached: reads leave nothing in the page cache.
  ReadWriteSender(Channel& channel, std::string why, size_t buffer_bytes = kReadBufferBytes,
                  bool uncached = false)
      : channel_(channel), why_(std::move(why)), reader_(buffer_bytes, uncached) {}

  SentBlock send(const SourceFile& file, uint64_t offset, uint32_t length,
                 std::span<const std::byte> head, Hasher* file_digest,
                 const ProgressFn& progress) override {
    channel_.send(head, More::Yes);
    return send_rest(file, offset, length, 0, file_digest, progress);
  }

  // The same when another engine has sent the first `done` bytes already.
  SentBlock send_rest(const SourceFile& file, uint64_t offset, uint32_t length, uint32_t done,
                      Hasher* file_digest, const ProgressFn& progress) {
    const SentBlock out = reader_.read(
        file, offset, length, file_digest, [&](std::span<const std::byte> piece, uint32_t at) {
          const size_t skip = std::min<size_t>(piece.size(), done > at ? done - at : 0);
          if (skip == piece.size()) return;
          channel_.send(piece.subspan(skip), More::Yes);
          progress(piece.size() - skip);
        });
    pad(channel_, length - std::max(out.length, done));
    return out;
  }

  Engine engine() const override { return Engine::ReadWrite; }
  std::string why() const override { return why_; }

 private:
  Channel& channel_;
  std::string why_;
  BlockReader reader_;
};

}  // namespace zx
