// SPDX-License-Identifier: MIT
#include "zsend/entry_stream.h"

#include <sys/stat.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "zsend/resend.h"

namespace zx {
EntryStream::EntryStream(Session& session, SendEngines& engines, Console& console, Ledger& ledger)
    : session_(session),
      link_(session.link()),
      agreed_(session.agreed()),
      engines_(engines),
      console_(console),
      ledger_(ledger) {}

// Half of what the receiver may keep open: it never has to refuse.
void EntryStream::await_room() {
  while (open_.size() >= kMaxOpenEntries / 2) handle(link_.read());
}

void EntryStream::send(SourceFile file) {
  await_room();
  const uint64_t id = ++last_id_;
  const struct stat& st = file.stat_at_open();
  EntryInfo info;
  info.name = {base_name(file.path())};
  info.size = file.size();
  info.mtime_sec = st.st_mtim.tv_sec;
  info.mtime_nsec = static_cast<uint32_t>(st.st_mtim.tv_nsec);
  info.mode = st.st_mode & 07777;
  info.sparse = file.sparse();
  link_.queue(FrameType::Entry, id, 0, encode(info));

  std::string path = file.path();
  const SourceFacts facts = engines_.look_at(file);
  // A file of one block gains nothing from other streams, and would wait for them.
  const bool parallel = streams_ && file.size() > agreed_.block_bytes;
  auto shared = std::make_shared<const SourceFile>(std::move(file));
  const auto [at, added] = open_.try_emplace(id, OpenEntry{.file = std::move(shared),
                                                           .pipe = nullptr,
                                                           .name = std::move(path),
                                                           .facts = facts,
                                                           .blocks = {},
                                                           .resent = {},
                                                           .sum = {},
                                                           .cut_at = {},
                                                           .parallel = parallel,
                                                           .file_digest = {},
                                                           .reason = {}});
  send_extents(id, at->second);
}

void EntryStream::send_extents(uint64_t id, OpenEntry& entry) {
  std::optional<Hasher> file_digest;
  if (agreed_.file_digest && !entry.parallel) file_digest.emplace();
  Hasher* flat = file_digest ? &*file_digest : nullptr;

  const uint64_t end = entry.file->size();
  Extent extent;
  while (entry.size < end) {
    serve_pending();
    replace_worn_key();
    if (!open_.contains(id)) return;  // refused or failed over there: nothing more to send of it
    if (entry.failure != ExitStatus::Ok || entry.cut_at) break;
    if (extent.length == 0) extent = entry.file->extent_at(entry.size, end);
    bool whole = false;
    if (extent.hole) {
      whole = send_hole(id, entry, extent, flat);
      extent.length = 0;
    } else {
      const auto length =
          static_cast<uint32_t>(std::min<uint64_t>(agreed_.block_bytes, extent.length));
      whole = hand_out(id, entry, length) || send_block(id, entry, entry.size, length, flat);
      extent.length -= length;
    }
    if (!whole) break;
  }
  if (entry.parallel) {
    if (!await_streams(id)) return;
    settle_size(entry);
    if (agreed_.file_digest) digest_file(entry);
  }
  // A block that was sent again with other content is not in the flat digest.
  if (flat != nullptr && !entry.digest_spoiled) entry.file_digest = flat->value();
  send_end(id, entry);
  link_.flush();
  serve_pending();
}

// False when the file has become shorter than the hole's end.
bool EntryStream::send_hole(uint64_t id, OpenEntry& entry, Extent hole, Hasher* file_digest) {
  struct stat now {};
  const uint64_t end = hole.offset + hole.length;
  // "No data after here" is also what a file says that was cut meanwhile.
  const uint64_t size_now =
      fstat(entry.file->fd(), &now) == 0 ? static_cast<uint64_t>(now.st_size) : end;
  const uint64_t length = std::min(end, std::max(size_now, hole.offset)) - hole.offset;
  if (length > 0) {
    link_.queue(FrameType::Hole, id, hole.offset, encode_hole(length));
    if (file_digest != nullptr && length > kLongHashBytes)
      link_.with_heartbeats([&] { file_digest->update_zeros(length); });
    else if (file_digest != nullptr)
      file_digest->update_zeros(length);
    console_.add_bytes(length);
    entry.size += length;
  }
  return length == hole.length;
}

// False when the file did not have all of the block any more, or could not be read.
bool EntryStream::send_block(uint64_t id, OpenEntry& entry, uint64_t offset, uint32_t length,
                             Hasher* file_digest, uint16_t attempt) {
  BlockSender& engine = engines_.pick(entry.facts);  // may throw: before the header is promised
  link_.queue_data_header(id, offset, length, attempt_flags(attempt));
  const SentBlock block = engine.send(*entry.file, offset, length, link_.take_queued(), file_digest,
                                      [&](uint64_t n) { console_.add_bytes(n); });
  link_.payload_done();
  link_.queue(FrameType::DataDigest, id, offset, encode(BlockDigest{block.length, block.digest}));
  record_block(entry, offset, block);
  entry.size = std::max(entry.size, offset + block.length);
  if (block.read_error != 0) fail_reading(entry, block.read_error);
  if (block.length < length) entry.note_cut(offset + block.length);
  return block.length == length && block.read_error == 0;
}

void EntryStream::record_block(OpenEntry& entry, uint64_t offset, const SentBlock& block) {
  const auto old = entry.blocks.find(offset);
  if (old != entry.blocks.end()) {
    if (old->second.length > 0)
      entry.sum.subtract(block_part(offset, old->second.length, old->second.digest));
    // The flat digest was of other bytes; it cannot be mended without reading all of them again.
    if (old->second.digest != block.digest) {
      entry.digest_spoiled = true;
      entry.file_digest.reset();
    }
  }
  entry.blocks.insert_or_assign(offset, block);
  if (block.length > 0) entry.sum.add(block_part(offset, block.length, block.digest));
}

void EntryStream::fail_reading(OpenEntry& entry, int error) {
  entry.failure = ExitStatus::FileIo;
  entry.reason = quote(entry.name) + ": read: " + errno_text(error);
}

void EntryStream::send_end(uint64_t id, OpenEntry& entry) {
  // What comes out of a pipe is what there was.
  entry.changed =
      entry.pipe == nullptr && (entry.file->changed() || entry.size != entry.file->size());
  EntryEnd end;
  end.changed = entry.changed;
  end.failure = entry.failure;
  end.reason = entry.reason;
  end.block_sum = entry.sum.value();
  if (entry.file_digest && entry.failure == ExitStatus::Ok) {
    end.has_file_digest = true;
    end.file_digest = *entry.file_digest;
  }
  link_.queue(FrameType::End, id, entry.size, encode(end));
  entry.end_sent = true;
}

void EntryStream::resend(uint64_t id, uint64_t offset, uint32_t length) {
  const auto asked = open_.find(id);
  if (asked == open_.end() || !asked->second.sent(offset, length))
    throw Error(ExitStatus::Protocol, "peer asked again for a block that was not sent");
  replace_worn_key();
  const auto found = open_.find(id);
  if (found == open_.end()) return;  // what came meanwhile has settled it
  OpenEntry& entry = found->second;
  count_retry(&entry.resent[offset]);
  console_.detail(quote(entry.name) + ": the block at " + std::to_string(offset) +
                  " did not arrive as it was read; sending it again");
  const SentBlock again = send_again(link_, *entry.file, id, offset, length);
  ++entry.retransmitted;
  record_block(entry, offset, again);
  if (again.read_error != 0) fail_reading(entry, again.read_error);
  if (again.length != length && entry.failure == ExitStatus::Ok) {
    // What follows the block was sent from a longer version: that cannot be made whole.
    entry.failure = ExitStatus::FileIo;
    entry.reason = quote(entry.name) + ": was cut while it was sent";
  }
  // The receiver dropped an END that came before this block was mended.
  if (entry.end_sent) send_end(id, entry);
  link_.flush();
}

void EntryStream::serve_pending() {
  if (streams_) take_delivered();
  while (auto frame = link_.read_if_any()) handle(*frame);
}

void EntryStream::replace_worn_key() {
  if (!session_.key_is_worn()) return;
  const std::vector<Frame> late = session_.switch_connection(/*first=*/true);
  engines_.use(link_.channel());
  console_.detail("the connection was replaced: its key has protected enough");
  for (const Frame& frame : late) handle(frame);
}

void EntryStream::handle(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::Streams:
      if (!streams_ || streams_->started()) unexpected_frame(frame.header, "without being asked");
      return streams_->start();
    case FrameType::Ack:
      return acknowledge(frame.header.entry, frame.header.offset);
    case FrameType::Retry:
      return resend(frame.header.entry, frame.header.offset, decode_retry(frame.body));
    case FrameType::Result:
      return settle_entry(frame.header.entry, decode_entry_result(frame.body));
    default:
      unexpected_frame(frame.header, "while entries are sent");
  }
}

void EntryStream::settle_entry(uint64_t id, const EntryResult& result) {
  const auto found = open_.find(id);
  if (found == open_.end())
    throw Error(ExitStatus::Protocol, "peer sent a RESULT for an entry that is not open");
  const OpenEntry& entry = found->second;
  if (result.status == ExitStatus::Ok && !result.skipped &&
      (!entry.end_sent || entry.failure != ExitStatus::Ok))
    throw Error(ExitStatus::Protocol, "peer calls an entry verified that was not sent whole");
  EntryOutcome outcome;
  outcome.id = id;
  outcome.name = entry.name;
  outcome.bytes = entry.size;
  outcome.changed = entry.changed && !result.skipped;
  outcome.skipped = result.skipped;
  outcome.retransmitted_blocks = entry.retransmitted;
  // Our own failure comes back as the receiver's result: keep our words for it.
  outcome.status = entry.failure != ExitStatus::Ok ? entry.failure : result.status;
  outcome.reason = entry.failure != ExitStatus::Ok ? entry.reason
                   : result.reason.empty()         ? ""
                                                   : "peer: " + quote_peer_text(result.reason);
  if (entry.file_digest) {
    outcome.has_digest = true;
    outcome.digest = *entry.file_digest;
  }
  outcome.block_sum = entry.sum.value();
  ledger_.add(std::move(outcome));
  if (entry.pipe != nullptr) entry.pipe->forget();
  open_.erase(found);
  if (streams_) (void)streams_->drop(id);
}

void EntryStream::settle() {
  while (!open_.empty()) handle(link_.read());
}

Verdict EntryStream::conclude(const PathReport& path, const SideFigures& figures) {
  const Totals totals = ledger_.totals();
  link_.send(FrameType::Fin, 0, 0,
             encode(Fin{totals.entries, totals.bytes, totals.root, path, figures}));
  const Verdict verdict = decode_verdict(read_verdict().body);
  const Totals committed = ledger_.totals();
  // A worse one than the entries explain is believed: the receiver knows what it has not done.
  if (verdict.status != ledger_.status() &&
      more_severe(verdict.status, ledger_.status()) == verdict.status)
    throw Error(verdict.status,
                "the receiver's verdict is '" + std::string(status_name(verdict.status)) + "'");
  if (verdict.status != ledger_.status() || verdict.entries != committed.entries ||
      verdict.bytes != committed.bytes || verdict.root != committed.root)
    throw Error(ExitStatus::Integrity, "the receiver committed something else than was sent");
  if (committed.entries > 0 && !verdict.durable && agreed_.durability != Durability::None)
    throw Error(ExitStatus::Protocol, "the receiver has committed, but not durable as agreed");
  ledger_.confirm();
  link_.send(FrameType::Bye, 0, 0, encode_bye(verdict.status));
  return verdict;
}

// Before the verdict come the entries that could not be committed.
Frame EntryStream::read_verdict() {
  for (;;) {
    Frame frame = link_.read();
    if (frame.header.type == FrameType::Verdict) return frame;
    if (frame.header.type != FrameType::Result)
      unexpected_frame(frame.header, "instead of VERDICT");
    const EntryResult result = decode_entry_result(frame.body);
    if (result.status == ExitStatus::Ok ||
        !ledger_.fail_later(frame.header.entry, result.status,
                            "peer: " + quote_peer_text(result.reason)))
      throw Error(ExitStatus::Protocol, "peer sent a RESULT for an entry that is not open");
  }
}

}  // namespace zx
