// SPDX-License-Identifier: MIT
// The receiver through a buffer in user space: over any channel, and what the others fall back to.
#pragma once

#include <algorithm>
#include <string>

#include "common/base/io.h"
#include "common/base/page_buffer.h"
#include "common/engine/block_receiver.h"

namespace zx {

/// What one write takes. Larger is worse: for a large write ext4 makes large folios, out of memory
/// that has long been free, and on a virtual machine that gives free memory back to its host each
/// is a fault there. Measured on kernel 6.18, TLS, 2 GiB, five interleaved rounds: 256 KiB 6.9
/// CPU-s for both ends, 32 KiB 4.6.
constexpr size_t kWriteBufferBytes = 32 << 10;

/// The same when each write also starts its write-back (RWF_DONTCACHE): small ones would be small
/// requests to the disk.
constexpr size_t kUncachedBufferBytes = 1 << 20;

class ReadWriteReceiver final : public BlockReceiver {
 public:
  /// buffer_bytes: a multiple of 4096. uncached: what is written shall not stay in the page cache.
  ReadWriteReceiver(Channel& channel, std::string why, size_t buffer_bytes = kWriteBufferBytes,
                    bool uncached = false)
      : channel_(channel), why_(std::move(why)), buffer_(buffer_bytes), uncached_(uncached) {}

  int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) override {
    uint32_t done = 0;
    while (done < length) {
      const auto piece = buffer_.first(std::min<size_t>(buffer_.size(), length - done));
      // The whole piece, although TLS hands out 16 KiB at a time: fewer and larger writes.
      channel_.recv_exact(piece);
      const int error = -(uncached_ ? pwrite_uncached(file, piece, offset + done)
                                    : pwrite_full(file, piece, offset + done));
      done += static_cast<uint32_t>(piece.size());
      if (error != 0) {
        discard(channel_, length - done);
        return error;
      }
      fresh(piece.size(), {});
    }
    return 0;
  }

  Engine engine() const override { return Engine::ReadWrite; }
  std::string why() const override { return why_; }
  bool uncached() const override { return uncached_; }

 private:
  Channel& channel_;
  std::string why_;
  PageBuffer buffer_;
  bool uncached_;
};

}  // namespace zx
