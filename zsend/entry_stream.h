// SPDX-License-Identifier: MIT
// EntryStream: sends entries over one link and serves what the receiver says about them meanwhile.
// One thread; the back channel is read between blocks, so neither side ever waits for the other to
// read.
#pragma once

#include <map>
#include <optional>

#include "common/engine/engine_set.h"
#include "common/file/source_file.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"

namespace zx {

class EntryStream {
 public:
  /// All must outlive it.
  EntryStream(Session& session, SendEngines& engines, Console& console, Ledger& ledger);

  /// Announces and sends one file up to its END. A file that cannot be read to its end is an
  /// outcome in the ledger, not an Error.
  void send(SourceFile file);
  /// Serves the receiver until every entry has its result.
  void settle();
  /// FIN, wait for the verdict, compare, BYE. Throws Error{Integrity} when the totals differ.
  Verdict conclude(const PathReport& path, const SideFigures& figures);

 private:
  // An entry that has no result yet. Its file stays open: blocks may be asked for again.
  struct OpenEntry {
    SourceFile file;
    std::string name;
    SourceFacts facts;                     // for the choice of its engine
    std::map<uint64_t, SentBlock> blocks;  // by offset: what was last sent
    std::map<uint64_t, int> resent;        // by offset: how often; bounds what a peer can ask for
    DigestSum sum;                         // over them
    uint64_t size = 0;                     // actual, so far
    uint64_t retransmitted = 0;
    std::optional<Digest> file_digest;
    bool changed = false, end_sent = false, digest_spoiled = false;
    ExitStatus failure = ExitStatus::Ok;
    std::string reason;

    bool sent(uint64_t offset, uint32_t length) const {
      const auto block = blocks.find(offset);
      return block != blocks.end() && block->second.length == length;
    }
  };

  void send_extents(uint64_t id, OpenEntry& entry);
  bool send_hole(uint64_t id, OpenEntry& entry, Extent hole, Hasher* file_digest);
  bool send_block(uint64_t id, OpenEntry& entry, uint64_t offset, uint32_t length,
                  Hasher* file_digest);
  void record_block(OpenEntry& entry, uint64_t offset, const SentBlock& block);
  void fail_reading(OpenEntry& entry, int error);
  void send_end(uint64_t id, OpenEntry& entry);
  void resend(uint64_t id, uint64_t offset, uint32_t length);
  void serve_pending();
  void replace_worn_key();
  void handle(const Frame& frame);
  Frame read_verdict();
  void settle_entry(uint64_t id, const EntryResult& result);

  Session& session_;
  Link& link_;
  const Negotiated& agreed_;
  SendEngines& engines_;
  Console& console_;
  Ledger& ledger_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, OpenEntry> open_;
};

}  // namespace zx
