// SPDX-License-Identifier: MIT
#include "common/engine/block_sender.h"

#include <algorithm>
#include <array>

#include "common/base/io.h"

namespace zx {
namespace {

// Sends zeros, with more to follow.
void pad(Channel& channel, uint64_t bytes) {
  static const std::array<std::byte, 1 << 16> kZeros{};
  while (bytes > 0) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(bytes, kZeros.size()));
    channel.send(std::span(kZeros).first(n), More::Yes);
    bytes -= n;
  }
}

}  // namespace

SentBlock BlockSender::send(const SourceFile& file, uint64_t offset, uint32_t length,
                            std::span<const std::byte> head, Hasher* file_digest,
                            const ProgressFn& progress) {
  channel_.send(head, More::Yes);
  // These bytes are on their way to the peer, which is busy with them, while they are hashed here.
  // A file that is changed in between fails the comparison and is asked for again.
  SentBlock out;
  const uint32_t unread = send_unread(file, offset, length, progress, &out.read_error);
  const uint32_t end = out.read_error == 0 ? length : unread;  // an error is not tried again
  hasher_.reset();
  while (out.length < end) {
    check_stop();
    // In pieces that stay in cache between hash and send.
    const size_t want = std::min<size_t>(buffer_.size(), end - out.length);
    const auto piece = read_piece(file, offset + out.length, want, &out.read_error);
    if (piece.empty()) break;
    hasher_.update(piece);
    if (file_digest != nullptr) file_digest->update(piece);
    out.length += static_cast<uint32_t>(piece.size());
    if (out.length <= unread) continue;
    const auto rest = piece.last(std::min<size_t>(piece.size(), out.length - unread));
    channel_.send(rest, More::Yes);
    progress(rest.size());
  }
  pad(channel_, length - std::max(out.length, unread));
  out.digest = hasher_.value();
  return out;
}

std::span<const std::byte> BlockSender::read_piece(const SourceFile& file, uint64_t offset,
                                                   size_t max, int* error) {
  const auto target = buffer_.first(max);
  const ssize_t n = pread_full(file.fd(), target, offset, choice_.uncached);
  if (n < 0) *error = static_cast<int>(-n);
  return target.first(static_cast<size_t>(std::max<ssize_t>(n, 0)));
}

PrivateBlock read_private_block(const SourceFile& file, uint64_t offset, uint32_t length) {
  PrivateBlock out;
  out.bytes.resize(length);
  const ssize_t n = pread_full(file.fd(), out.bytes, offset);
  if (n < 0) out.block.read_error = static_cast<int>(-n);
  out.block.length = static_cast<uint32_t>(std::max<ssize_t>(n, 0));
  out.block.digest = digest_of(std::span(out.bytes).first(out.block.length));
  return out;  // the tail of a shorter read is zeros: the padding
}

}  // namespace zx
