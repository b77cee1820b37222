// SPDX-License-Identifier: MIT
// EntryWriter: one entry while it is received: blocks into the temporary file, each hashed from
// what the file then holds (or, past the page cache, from the memory it was written from) and
// compared with the sender's digest; damaged ones asked for again. Never makes a final name (that
// is commit.h). Wire faults are thrown, faults of this one file are its outcome.
#pragma once

#include <sys/stat.h>

#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "common/base/page_buffer.h"
#include "common/engine/block_receiver.h"
#include "common/file/temp_file.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zrecv/destination.h"

namespace zx {

class EntryWriter {
 public:
  /// Makes the temporary file and reserves its space. Throws Error for this file (the caller turns
  /// it into an outcome). `read_back` is scratch memory that all entries of a session share.
  EntryWriter(uint64_t id, const EntryInfo& info, const Target& target, const Negotiated& agreed,
              PageBuffer& read_back);

  // After each of these look at failed(): the entry is then to be dropped with its outcome.

  /// A DATA frame: takes its payload from the channel. `engine` moves it.
  void data(const FrameHeader& header, BlockReceiver& engine, Console& console);
  /// The DIGEST of the DATA before. When the block is damaged, *ask_again gets its length.
  void digest(uint64_t offset, const BlockDigest& digest, std::optional<uint32_t>* ask_again);
  void hole(uint64_t offset, uint64_t length, Console& console);
  /// True when the entry is complete and verified; false when damaged blocks are still to come (a
  /// further END follows them).
  bool end(uint64_t size, const EntryEnd& end);

  bool failed() const { return outcome_.status != ExitStatus::Ok; }
  uint64_t verified_bytes() const { return verified_end_; }

  EntryOutcome& outcome() { return outcome_; }
  const EntryInfo& info() const { return info_; }
  const Target& target() const { return target_; }
  TempFile& temp() { return temp_; }
  /// For the choice of its engine.
  SinkFacts& sink() { return sink_; }
  Digest block_sum() const { return sum_.value(); }

 private:
  struct Block {
    uint64_t offset = 0;
    uint32_t length = 0;
    bool resent = false;
    Digest digest{};
  };
  struct Damage {
    uint32_t length = 0;
    int attempts = 0;
  };

  void fail(ExitStatus status, const std::string& reason);
  void check_data_header(const FrameHeader& header) const;
  Digest digest_of_file_range(uint64_t offset, uint64_t length);
  void hash_fresh(uint64_t bytes);
  void hash_memory(std::span<const std::byte> memory);
  void finish_hashing();
  void accept_block(const Block& block, uint32_t length);
  void settle_file_digest(uint64_t size, const EntryEnd& end);

  const EntryInfo info_;
  const Target target_;
  const Negotiated& agreed_;
  EntryOutcome outcome_;
  TempFile temp_;
  SinkFacts sink_;

  uint64_t next_ = 0;                  // where the next DATA or HOLE must begin
  std::optional<uint64_t> short_end_;  // the source ended here, inside a DATA: nothing may follow
  uint64_t verified_end_ = 0;          // end of the last verified block
  std::optional<Block> unverified_;
  std::map<uint64_t, Damage> damaged_;  // by offset
  DigestSum sum_;

  Hasher block_hasher_;
  std::optional<Hasher> file_hasher_;  // flat over the file, while nothing was out of order
  uint64_t unhashed_offset_ = 0, unhashed_bytes_ = 0;
  bool read_uncached_ = false;
  int read_error_ = 0;
  PageBuffer& buffer_;
};

}  // namespace zx
