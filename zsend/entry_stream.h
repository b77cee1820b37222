// SPDX-License-Identifier: MIT
// EntryStream: sends entries over the first connection and serves what the receiver says about them
// meanwhile. One thread; the back channel is read between blocks, so neither side ever waits for
// the other to read. With further connections it hands blocks to those that are free
// (stream_senders.h) and learns from them what was delivered: no state of an entry is shared.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "common/engine/engine_set.h"
#include "common/file/source_file.h"
#include "common/session/ledger.h"
#include "common/session/link.h"
#include "common/session/session.h"
#include "common/ui/console.h"
#include "zsend/pipe_source.h"
#include "zsend/stream_senders.h"

namespace zx {

class EntryStream {
 public:
  /// All must outlive it.
  EntryStream(Session& session, SendEngines& engines, Console& console, Ledger& ledger);

  /// From here on blocks go over `count` connections, the first one included. Before the first
  /// send().
  void use_streams(uint16_t count, const EngineOptions& engines);
  /// Announces and sends one file up to its END. A file that cannot be read to its end is an
  /// outcome in the ledger, not an Error.
  void send(SourceFile file);
  /// The same for what comes out of a pipe, until its end. A command is started here, and has ended
  /// when this returns; its failure is an outcome too. `source` must outlive this.
  void send(PipeSource& source);
  /// Serves the receiver until every entry has its result.
  void settle();
  /// Closes the further connections; after settle(). Blocking, up to some seconds.
  void close_streams();
  /// The further connections; nothing when there are none.
  const StreamSet* streams() const { return streams_ ? &streams_->streams() : nullptr; }
  /// FIN, wait for the verdict, compare, BYE. Throws Error{Integrity} when the totals differ.
  Verdict conclude(const PathReport& path, const SideFigures& figures);

 private:
  // An entry that has no result yet. Its file stays open: blocks may be asked for again.
  struct OpenEntry {
    std::shared_ptr<const SourceFile> file;
    PipeSource* pipe = nullptr;  // whose window `file` is; nothing for a file
    std::string name;
    SourceFacts facts;                     // for the choice of its engine
    std::map<uint64_t, SentBlock> blocks;  // by offset: what was last sent
    std::map<uint64_t, uint64_t> resent;   // by offset: how often; bounds what a peer can ask for
    DigestSum sum;                         // over them
    uint64_t size = 0;                     // actual, so far
    uint64_t under_way = 0;                // blocks that other streams have to deliver
    std::optional<uint64_t> cut_at;        // where the first block ends that was short
    bool parallel = false;                 // its blocks go over several streams
    uint64_t retransmitted = 0;
    std::optional<Digest> file_digest;
    bool changed = false, end_sent = false, digest_spoiled = false;
    ExitStatus failure = ExitStatus::Ok;
    std::string reason;

    void note_cut(uint64_t end) { cut_at = std::min(cut_at.value_or(end), end); }
    bool sent(uint64_t offset, uint32_t length) const {
      const auto block = blocks.find(offset);
      return block != blocks.end() && block->second.length == length;
    }
  };

  void await_room();
  void send_extents(uint64_t id, OpenEntry& entry);
  bool hand_out(uint64_t id, OpenEntry& entry, uint32_t length);
  bool await_streams(uint64_t id);
  void take_delivered();
  void settle_size(OpenEntry& entry);
  void digest_file(OpenEntry& entry);
  bool send_hole(uint64_t id, OpenEntry& entry, Extent hole, Hasher* file_digest);
  bool send_block(uint64_t id, OpenEntry& entry, uint64_t offset, uint32_t length,
                  Hasher* file_digest, uint16_t attempt = 0);
  bool pass_on(uint64_t id, PipeSource& source, Hasher* file_digest);
  bool await_command(uint64_t id, PipeSource& source);
  // ACK: all before `verified` is verified over there, maybe neither handed on nor durable. Makes
  // room in the window of a pipe.
  void acknowledge(uint64_t id, uint64_t verified);
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
  std::unique_ptr<StreamSenders> streams_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, OpenEntry> open_;
};

}  // namespace zx
