// SPDX-License-Identifier: MIT
// The sender from a mapping of the file, a block at a time.
//
// A mapped page that the file no longer has (somebody cut it) kills a program that touches it
// (SIGBUS). So nothing here touches the mapping in user space: the kernel does, in send(2) or, for
// a channel whose record layer is in user space, in process_vm_readv(2) into a buffer, and says
// EFAULT. The digest is computed from pread(2).
#pragma once

#include <memory>
#include <string>

#include "common/engine/block_sender.h"
#include "common/engine/readwrite_sender.h"

namespace zx {

class MmapSender final : public BlockSender {
 public:
  MmapSender(Channel& channel, std::string why) : channel_(channel), why_(std::move(why)) {}

  SentBlock send(const SourceFile& file, uint64_t offset, uint32_t length,
                 std::span<const std::byte> head, Hasher* file_digest,
                 const ProgressFn& progress) override;
  Engine engine() const override { return refused_.empty() ? Engine::Mmap : Engine::ReadWrite; }
  std::string why() const override { return refused_.empty() ? why_ : refused_; }

 private:
  uint32_t send_mapped(std::span<const std::byte> mapped, const ProgressFn& progress);
  uint32_t send_copies(std::span<const std::byte> mapped, const ProgressFn& progress);

  Channel& channel_;
  std::string why_;
  std::string refused_;  // why it is a buffer instead, once it is
  PieceSize piece_;
  ReadWriteSender buffered_{channel_, ""};
  BlockReader reader_;
  std::unique_ptr<PageBuffer> copy_;
};

}  // namespace zx
