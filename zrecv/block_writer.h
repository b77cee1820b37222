// SPDX-License-Identifier: MIT
// BlockWriter: the block that one connection brings: into the temporary file, and hashed from what
// the file then holds (or, past the page cache, from the memory it was written from). One thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/base/page_buffer.h"
#include "common/engine/engine_set.h"
#include "common/ui/console.h"
#include "zrecv/entry_writer.h"

namespace zx {

class BlockWriter {
 public:
  /// stream: of this connection, 0 for the first.
  BlockWriter(uint32_t stream, Link& link, RecvEngines& engines, Console& console);

  /// Goes on over the link's new connection, to which `engines` has been switched.
  void use_new_channel();

  /// A DATA frame: takes its payload from the channel, when the entry has room for it.
  /// evict(stream) ends another stream that still has the block. Without an entry, or when that has
  /// failed, the payload is dropped.
  void data(const FrameHeader& header, std::shared_ptr<EntryWriter> entry,
            const std::function<void(uint32_t)>& evict);
  /// The DIGEST of the DATA before. When the block is damaged, *ask_again gets its length.
  void digest(const FrameHeader& header, const BlockDigest& theirs,
              std::optional<uint32_t>* ask_again);
  /// Throws Error{Protocol} when a block of this entry waits for its DIGEST. `what`: "END".
  void require_settled(const EntryWriter& entry, const char* what) const;

  /// Scratch memory, free between frames.
  PageBuffer& buffer() { return buffer_; }

 private:
  void write(const FrameHeader& header, EntryWriter& entry);
  void hash_fresh(uint64_t bytes);
  void hash_memory(std::span<const std::byte> memory);
  void finish_hashing();

  const uint32_t stream_;
  Link& link_;
  RecvEngines& engines_;
  Console& console_;
  std::unique_ptr<BlockReceiver> resend_engine_;
  PageBuffer buffer_;

  std::optional<FrameHeader> header_;   // of a DATA whose DIGEST has not come
  std::shared_ptr<EntryWriter> entry_;  // its entry; nothing when it is dropped
  ReceivedBlock block_;
  bool known_ = false;              // it was verified before: its payload was dropped
  EntryWriter* writing_ = nullptr;  // during data()
  Hasher hasher_;
  uint64_t unhashed_offset_ = 0, unhashed_bytes_ = 0;
  bool read_uncached_ = false;
  int read_error_ = 0;
};

}  // namespace zx
