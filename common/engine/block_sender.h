// SPDX-License-Identifier: MIT
// Source -> channel: sends the payload of one DATA frame and computes the digest of the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/engine/policy.h"
#include "common/file/source_file.h"
#include "common/integrity/digest.h"
#include "common/net/channel.h"

namespace zx {

/// Called with the number of payload bytes that were handed to the channel since the last call.
using ProgressFn = std::function<void(uint64_t bytes)>;

struct SentBlock {
  uint32_t length = 0;  // bytes of the file; the frame's rest, if any, was padded with zeros
  Digest digest{};      // of those
  int read_error = 0;   // errno when reading the source failed; the file ended early when 0
};

class BlockSender {
 public:
  virtual ~BlockSender() = default;

  /// Sends `head` (queued messages and the DATA header) and then exactly `length` bytes for
  /// [offset, offset + length) of the file. What the file does not have any more is padded with
  /// zeros, because the header has promised the length; the result says so. `file_digest`, when not
  /// null, is fed the same bytes. Blocking. Throws Error for the channel only.
  virtual SentBlock send(const SourceFile& file, uint64_t offset, uint32_t length,
                         std::span<const std::byte> head, Hasher* file_digest,
                         const ProgressFn& progress) = 0;

  virtual Engine engine() const = 0;
  /// Why it is not a better one; may change when a fast path turns out not to work on a source.
  virtual std::string why() const = 0;
};

/// The one that the policy chose. buffer_bytes: of ReadWrite, a multiple of 4096; 0 for its own
/// default. The channel must outlive it.
std::unique_ptr<BlockSender> make_block_sender(Channel& channel, const Choice& choice,
                                               size_t buffer_bytes = 0);

/// Reads a block into a buffer of its own, with the digest of that buffer: for blocks that were
/// asked for again, so that digest and bytes belong together even while the file changes. `bytes`
/// always has `length` bytes; where the file is shorter they end in zeros.
struct PrivateBlock {
  SentBlock block;
  std::vector<std::byte> bytes;
};
PrivateBlock read_private_block(const SourceFile& file, uint64_t offset, uint32_t length);

}  // namespace zx
