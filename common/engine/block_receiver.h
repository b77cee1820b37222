// SPDX-License-Identifier: MIT
// Channel -> sink: moves the payload of one DATA frame into a file. Does not hash: what went
// through the page cache is read back from there by zrecv/lane, the same way for every
// engine; what went past it is hashed by the same from the memory it was written from.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "common/base/page_buffer.h"
#include "common/engine/policy.h"
#include "common/engine/splice_pipe.h"
#include "common/net/channel.h"

namespace zx {

/// What one write takes. Larger is worse: for a large write ext4 makes large folios, out of memory
/// that has long been free, and on a virtual machine that gives free memory back to its host each
/// is a fault there. Measured on kernel 6.18, TLS, 2 GiB, five interleaved rounds: 256 KiB 6.9
/// CPU-s for both ends, 32 KiB 4.6.
constexpr size_t kWriteBufferBytes = 32 << 10;

/// Called for each next part of the block. Without `memory`: these bytes were written, can be read
/// from the file now, and are still in the cache. With it, `memory` holds them and they are on
/// their way to the disk: reading them back would only bring them into the cache.
using FreshFn = std::function<void(uint64_t bytes, std::span<const std::byte> memory)>;

/// Through a buffer in user space: over any channel, and what the others, which derive from it,
/// fall back to.
class BlockReceiver {
 public:
  /// buffer_bytes: a multiple of 4096. The channel must outlive it.
  BlockReceiver(Channel& channel, Choice choice, size_t buffer_bytes = kWriteBufferBytes)
      : channel_(channel), buffer_(buffer_bytes), choice_(std::move(choice)) {}
  virtual ~BlockReceiver() = default;

  /// Takes exactly `length` payload bytes from the channel and writes them at offset; nothing is in
  /// flight any more when it returns. Returns 0, or the errno of a failed write: the rest of the
  /// payload has then been taken and dropped, so the frames stay in step. Blocking. Throws Error
  /// for the channel only.
  virtual int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh);

  /// What it is, and why it is not a better one: both change when a fast path turns out not to work
  /// on a destination.
  Engine engine() const { return choice_.engine; }
  const std::string& why() const { return choice_.why; }
  /// Whether what it writes shall not stay in the page cache; then read it back so, too.
  bool uncached() const { return choice_.uncached; }
  /// Whether it has waited for the disk for half of its last second of work, or longer.
  virtual bool disk_is_behind() const { return false; }

 protected:
  /// The first part of a block, as far as the channel holds it. Returns its bytes, or -errno of a
  /// failed write: then the whole block was taken and dropped.
  int64_t receive_held(int file, uint64_t offset, uint32_t length, const FreshFn& fresh);
  void fall_back(const char* what, int error) { choice_.fall_back(what, error); }
  bool fell_back() const { return choice_.engine == Engine::ReadWrite; }

  Channel& channel_;
  PageBuffer buffer_;

 private:
  Choice choice_;
};

/// The one that the policy chose. `pipe` is taken when that is Splice. buffer_bytes: of ReadWrite,
/// a multiple of 4096; 0 for its own default. The channel must outlive it.
std::unique_ptr<BlockReceiver> make_block_receiver(Channel& channel, const Choice& choice,
                                                   SplicePipe pipe, size_t buffer_bytes = 0);

/// Takes and drops payload.
void discard(Channel& channel, uint64_t bytes);

}  // namespace zx
