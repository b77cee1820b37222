// SPDX-License-Identifier: MIT
// The part of EntryStream that shares the blocks of one entry out over several streams.
#include <algorithm>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/page_buffer.h"
#include "common/base/quote.h"
#include "common/base/stop.h"
#include "zsend/entry_stream.h"

namespace zx {
namespace {

constexpr std::chrono::milliseconds kHeartbeat{400};
constexpr size_t kDigestBufferBytes = 1 << 20;

}  // namespace

void EntryStream::use_streams(uint16_t count, const EngineOptions& engines) {
  streams_ = std::make_unique<StreamSenders>(session_, count, engines, console_);
  link_.send(FrameType::Streams, 0, 0, encode_streams(count));
}

void EntryStream::close_streams() {
  if (streams_) link_.with_heartbeats([&] { streams_->finish(); });
}

// False when no stream is free for the next block: it is for this one then.
bool EntryStream::hand_out(uint64_t id, OpenEntry& entry, uint32_t length) {
  if (!entry.parallel) return false;
  link_.flush();  // the receiver must know the entry before its blocks come elsewhere
  if (!streams_->offer({id, entry.size, length, 0, entry.file, entry.facts})) return false;
  // Every stream makes the same choice for an entry: this one is in the report.
  (void)engines_.pick(entry.facts);
  ++entry.under_way;
  entry.size += length;
  return true;
}

void EntryStream::take_delivered() {
  for (DeliveredBlock& d : streams_->delivered()) {
    const auto found = open_.find(d.block.entry);
    if (found == open_.end()) continue;  // given up meanwhile
    OpenEntry& entry = found->second;
    --entry.under_way;
    entry.retransmitted += d.resent;
    record_block(entry, d.block.offset, d.sent);
    if (d.sent.read_error != 0) fail_reading(entry, d.sent.read_error);
    if (d.sent.length < d.block.length) entry.note_cut(d.block.offset + d.sent.length);
  }
}

// Until every block is delivered, those of lost streams over this connection. False when the
// receiver has given the entry up.
bool EntryStream::await_streams(uint64_t id) {
  link_.flush();
  for (;;) {
    serve_pending();
    replace_worn_key();
    const auto found = open_.find(id);
    if (found == open_.end()) return false;
    OpenEntry& entry = found->second;
    if (entry.failure != ExitStatus::Ok) entry.under_way -= streams_->drop(id);
    if (entry.under_way == 0) return true;
    if (const auto block = streams_->take()) {
      if (block->entry != id) continue;  // of an entry that was given up
      --entry.under_way;
      (void)send_block(id, entry, block->offset, block->length, nullptr, block->attempt);
      link_.flush();
    } else if (!link_.channel().wait_readable_or(streams_->event_fd(), kHeartbeat)) {
      link_.send(FrameType::Heartbeat, 0, 0, {});
    }
  }
}

// A source that became shorter ends where the first short block does. What was found behind that in
// another block was there at another time: nothing whole can be made of these.
void EntryStream::settle_size(OpenEntry& entry) {
  if (!entry.cut_at) return;
  entry.size = *entry.cut_at;
  for (const auto& [offset, block] : entry.blocks)
    if (block.length > 0 && offset + block.length > entry.size && entry.failure == ExitStatus::Ok) {
      entry.failure = ExitStatus::FileIo;
      entry.reason = quote(entry.name) + ": was cut while it was sent";
    }
}

// The digest of the file as one: its blocks were read in no particular order. Left out when the
// file is no longer the one that was sent.
void EntryStream::digest_file(OpenEntry& entry) {
  if (entry.failure != ExitStatus::Ok || entry.cut_at || entry.file->changed()) return;
  link_.with_heartbeats([&] {
    Hasher hasher;
    PageBuffer buffer(kDigestBufferBytes);
    for (uint64_t at = 0; at < entry.size;) {
      check_stop();
      const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), entry.size - at));
      if (pread_full(entry.file->fd(), piece, at) != static_cast<ssize_t>(piece.size())) return;
      hasher.update(piece);
      at += piece.size();
    }
    if (!entry.file->changed() && !entry.digest_spoiled) entry.file_digest = hasher.value();
  });
}

}  // namespace zx
