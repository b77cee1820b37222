// SPDX-License-Identifier: MIT
// What the senders share: reading a block in hot pieces, padding, the size of one call.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/io.h"
#include "common/base/page_buffer.h"
#include "common/engine/block_sender.h"

namespace zx {

/// Fits in L2 next to what else is there: the hash runs at cache speed.
constexpr size_t kReadBufferBytes = 256 << 10;

/// Sends zeros, with more to follow.
inline void pad(Channel& channel, uint64_t bytes) {
  static const std::array<std::byte, 1 << 16> kZeros{};
  while (bytes > 0) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes, kZeros.size()));
    channel.send(std::span(kZeros).first(n), More::Yes);
    bytes -= n;
  }
}

/// How much to hand to one sendfile(2): as much as moves in about a quarter of a second, so that
/// progress, cancelling and messages stay prompt on a slow link and calls stay few on a fast one.
class PieceSize {
 public:
  size_t bytes() const { return bytes_; }
  void took(Clock::duration time) {
    constexpr auto kLong = std::chrono::milliseconds(250);
    if (time > kLong)
      bytes_ = std::max(bytes_ / 2, kSmallest);
    else if (time < kLong / 4)
      bytes_ = std::min(bytes_ * 2, kLargest);
  }

 private:
  static constexpr size_t kSmallest = 256 << 10, kLargest = 16 << 20;
  size_t bytes_ = 1 << 20;
};

/// Reads a block in pieces that stay in cache and hashes each while it is hot.
class BlockReader {
 public:
  explicit BlockReader(size_t buffer_bytes = kReadBufferBytes, bool uncached = false)
      : buffer_(buffer_bytes), uncached_(uncached) {}

  // use(piece, offset in the block) is called for each piece; the result is short where the file
  // is.
  template <typename Use>
  SentBlock read(const SourceFile& file, uint64_t offset, uint32_t length, Hasher* file_digest,
                 Use&& use) {
    SentBlock out;
    hasher_.reset();
    while (out.length < length) {
      check_stop();
      const auto want = std::min<size_t>(buffer_.size(), length - out.length);
      const auto target = buffer_.first(want);
      const ssize_t n = uncached_ ? pread_uncached(file.fd(), target, offset + out.length)
                                  : pread_full(file.fd(), target, offset + out.length);
      if (n < 0) out.read_error = static_cast<int>(-n);
      if (n <= 0) break;
      const auto piece = std::span<const std::byte>(buffer_.first(static_cast<size_t>(n)));
      hasher_.update(piece);
      if (file_digest != nullptr) file_digest->update(piece);
      use(piece, out.length);
      out.length += static_cast<uint32_t>(n);
    }
    out.digest = hasher_.value();
    return out;
  }

 private:
  Hasher hasher_;
  PageBuffer buffer_;
  bool uncached_;
};

}  // namespace zx
