// SPDX-License-Identifier: MIT
// Channel -> sink: moves the payload of one DATA frame into a file. Does not hash: what was written
// is read back from the page cache by zrecv/entry_writer, the same way for every engine.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/engine/policy.h"
#include "common/engine/splice_pipe.h"
#include "common/net/channel.h"

namespace zx {

/// Called soon after the next `bytes` of the block were written: they can be read from the file
/// now, and are still in the cache.
using FreshFn = std::function<void(uint64_t bytes)>;

class BlockReceiver {
 public:
  virtual ~BlockReceiver() = default;

  /// Takes exactly `length` payload bytes from the channel and writes them at offset. Returns 0, or
  /// the errno of a failed write: the rest of the payload has then been taken and dropped, so the
  /// frames stay in step. Blocking. Throws Error for the channel only.
  virtual int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) = 0;

  virtual Engine engine() const = 0;
  virtual std::string why() const = 0;
};

std::unique_ptr<BlockReceiver> make_block_receiver(Channel& channel, const Choice& choice,
                                                   SplicePipe pipe);
/// The buffered one, for blocks that are received a second time.
std::unique_ptr<BlockReceiver> make_buffered_receiver(Channel& channel);

/// Takes and drops payload.
void discard(Channel& channel, uint64_t bytes);

}  // namespace zx
