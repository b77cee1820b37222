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

#include "common/base/page_buffer.h"
#include "common/engine/policy.h"
#include "common/file/source_file.h"
#include "common/integrity/digest.h"
#include "common/net/channel.h"

namespace zx {

/// Fits in L2 next to what else is there: the hash runs at cache speed.
constexpr size_t kReadBufferBytes = 256 << 10;

/// Called with the number of payload bytes that were handed to the channel since the last call.
using ProgressFn = std::function<void(uint64_t bytes)>;

struct SentBlock {
  uint32_t length = 0;  // bytes of the file; the frame's rest, if any, was padded with zeros
  Digest digest{};      // of those
  int read_error = 0;   // errno when reading the source failed; the file ended early when 0
};

/// Through a buffer in user space: over any channel, and what the others, which derive from it, do
/// with what they cannot send themselves.
class BlockSender {
 public:
  /// buffer_bytes: a multiple of 4096. The channel must outlive it.
  BlockSender(Channel& channel, Choice choice, size_t buffer_bytes = kReadBufferBytes)
      : channel_(channel), buffer_(buffer_bytes), choice_(std::move(choice)) {}
  virtual ~BlockSender() = default;

  /// Sends `head` (queued messages and the DATA header) and then exactly `length` bytes for
  /// [offset, offset + length) of the file. What the file does not have any more is padded with
  /// zeros, because the header has promised the length; the result says so. `file_digest`, when not
  /// null, is fed the same bytes. Blocking. Throws Error for the channel only.
  SentBlock send(const SourceFile& file, uint64_t offset, uint32_t length,
                 std::span<const std::byte> head, Hasher* file_digest, const ProgressFn& progress);

  /// What it is, and why it is not a better one: both change when a fast path turns out not to work
  /// on a source.
  Engine engine() const { return choice_.engine; }
  const std::string& why() const { return choice_.why; }

 protected:
  /// Before a block is read: sends the first of it without reading it. Returns how much that is,
  /// with *error set when the source failed after that.
  virtual uint32_t send_unread(const SourceFile& /*file*/, uint64_t /*offset*/, uint32_t /*length*/,
                               const ProgressFn& /*progress*/, int* /*error*/) {
    return 0;
  }
  /// The next bytes of the block, at most `max`, in memory that stays as it is until the next call.
  /// Empty at the end of the file, and with *error set.
  virtual std::span<const std::byte> read_piece(const SourceFile& file, uint64_t offset, size_t max,
                                                int* error);
  void fall_back(const char* what, int error) { choice_.fall_back(what, error); }
  bool fell_back() const { return choice_.engine == Engine::ReadWrite; }

  Channel& channel_;
  PageBuffer buffer_;  // free while send_unread() runs

 private:
  Choice choice_;
  Hasher hasher_;
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
