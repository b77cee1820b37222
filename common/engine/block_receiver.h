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
#include <vector>

#include "common/engine/policy.h"
#include "common/engine/splice_pipe.h"
#include "common/net/channel.h"

namespace zx {

/// Called for each next part of the block. Without `memory`: these bytes were written, can be read
/// from the file now, and are still in the cache. With it, `memory` holds them and they are on
/// their way to the disk: reading them back would only bring them into the cache.
using FreshFn = std::function<void(uint64_t bytes, std::span<const std::byte> memory)>;

class BlockReceiver {
 public:
  virtual ~BlockReceiver() = default;

  /// Takes exactly `length` payload bytes from the channel and writes them at offset; nothing is in
  /// flight any more when it returns. Returns 0, or the errno of a failed write: the rest of the
  /// payload has then been taken and dropped, so the frames stay in step. Blocking. Throws Error
  /// for the channel only.
  virtual int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) = 0;

  virtual Engine engine() const = 0;
  virtual std::string why() const = 0;
  /// Whether what it writes shall not stay in the page cache; then read it back so, too.
  virtual bool uncached() const { return false; }
  /// Whether it has waited for the disk for half of its last second of work, or longer.
  virtual bool disk_is_behind() const { return false; }
};

/// The one that the policy chose. `pipe` is taken when that is Splice. buffer_bytes: of ReadWrite,
/// a multiple of 4096; 0 for its own default. The channel must outlive it.
std::unique_ptr<BlockReceiver> make_block_receiver(Channel& channel, const Choice& choice,
                                                   SplicePipe pipe, size_t buffer_bytes = 0);
/// The buffered one, for blocks that are received a second time.
std::unique_ptr<BlockReceiver> make_buffered_receiver(Channel& channel);

/// Takes and drops payload.
void discard(Channel& channel, uint64_t bytes);

}  // namespace zx
