// SPDX-License-Identifier: MIT
// The part of EntrySender that reads files, and sends blocks.
#include <algorithm>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/page_buffer.h"
#include "common/base/stop.h"
#include "zsend/entry_sender.h"

namespace zx {
namespace {

// Up to this size a file is read into memory and leaves together with its neighbours: a copy costs
// less than the calls that it saves.
constexpr uint64_t kSmallBytes = 64 << 10;
constexpr size_t kDigestBufferBytes = 1 << 20;

EntryInfo info_of(const std::string& name, const SourceFile& file) {
  EntryInfo info;
  info.name = {name};
  info.size = file.size();
  set_metadata(info, file.stat_at_open());
  info.sparse = file.sparse();
  return info;
}

}  // namespace

void EntrySender::begin_file(OutgoingEntry& entry, const std::string& name, SourceFile file) {
  EntryInfo info = info_of(name, file);
  if (agreed_.archive && S_ISREG(file.stat_at_open().st_mode))
    info.attributes = read_attributes(file.fd(), file.stat_at_open(), principals_, entry.caveats);
  if (agreed_.archive && S_ISREG(file.stat_at_open().st_mode) && file.stat_at_open().st_nlink > 1) {
    info.more_links = hard_links_.add_first(file.stat_at_open(), entry.id);
    if (!info.more_links) entry.caveats[Caveat::Links];
  }
  link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
  const bool asked = engines_.options().asked || engines_.options().buffer_bytes != 0;
  if (file.size() <= kSmallBytes && !file.sparse() && !asked && send_small(entry, file)) return;

  auto reading = std::make_unique<Reading>();
  reading->facts = engines_.look_at(file);
  // A file of one block gains nothing from other connections, and would wait for them.
  reading->parallel = further_ && file.size() > agreed_.block_bytes;
  reading->file = std::make_shared<const SourceFile>(std::move(file));
  start_reading(entry, std::move(reading));
  // The receiver must know the entry before its blocks come elsewhere.
  if (entry.reading->parallel) link_.flush();
}

// False when it cannot be read: the slow way finds out why.
bool EntrySender::send_small(OutgoingEntry& entry, const SourceFile& file) {
  Bytes bytes(file.size());
  const ssize_t n = pread_full(file.fd(), bytes, 0);
  if (n < 0) return false;
  bytes.resize(static_cast<size_t>(n));
  entry.bytes = bytes.size();
  entry.note_change(file);
  const Digest digest = digest_of(bytes);
  if (agreed_.file_digest) entry.digest = digest;
  if (!bytes.empty()) {
    entry.sum.add(block_part(0, bytes.size(), digest));
    engines_.note_gathered();
    Block block{.entry = entry.id, .length = static_cast<uint32_t>(bytes.size())};
    block.bytes = std::make_shared<const Bytes>(std::move(bytes));
    (void)lane_.send(std::move(block), nullptr);
  }
  send_end(entry);
  return true;
}

// True when something was sent, or the end is reached.
bool EntrySender::send_more_of_file(OutgoingEntry& entry) {
  Reading& reading = *entry.reading;
  const uint64_t end = reading.file->size();
  if (entry.bytes >= end || entry.failed() || reading.cut_at) {
    reading.read_to_end = true;
    current_ = nullptr;
    return true;
  }
  // What the receiver has of it has no more gaps than these.
  if (reading.file->sparse() &&
      reading.unacknowledged.size() + link_.uncounted() >= kMaxCoveredRanges - 1)
    return false;
  if (reading.extent.length == 0) {
    reading.extent = reading.file->extent_at(entry.bytes, end);
    if (reading.extent.hole) {
      send_hole(entry, std::exchange(reading.extent, {}));
      return true;
    }
  }
  const auto length =
      static_cast<uint32_t>(std::min<uint64_t>(agreed_.block_bytes, reading.extent.length));
  reading.extent.length -= length;
  send_block(entry, length);
  return true;
}

// The next block, over whatever connection is free.
void EntrySender::send_block(OutgoingEntry& entry, uint32_t length) {
  Reading& reading = *entry.reading;
  Block block{.entry = entry.id, .offset = entry.bytes, .length = length};
  block.file = reading.file;
  block.facts = reading.facts;
  block.in_order = !reading.parallel;
  // From here on the block is on its way, whatever happens to the connection.
  reading.unacknowledged.insert(entry.bytes);
  entry.bytes += length;
  if (reading.parallel && others_alive() && queue_.offer(block)) {
    // Every connection makes the same choice for an entry: this one is in the report.
    (void)engines_.pick(reading.facts);
    return;
  }
  send_on_first(std::move(block));
}

// When the connection is lost on the way nothing of it has counted, and the block comes again.
void EntrySender::send_on_first(Block block) {
  const uint64_t offset = block.offset;
  const uint32_t length = block.length;
  OutgoingEntry& entry = entries_.at(block.entry);
  Reading* const reading = entry.reading.get();
  if (reading == nullptr) return void(lane_.send(std::move(block), nullptr));
  std::optional<Hasher> flat;
  if (reading->flat && offset >= reading->flat_end) {
    feed_hole(*reading, offset);
    flat = reading->flat;
  }
  const SentBlock sent = lane_.send(std::move(block), flat ? &*flat : nullptr);
  if (flat) {
    reading->flat = flat;
    reading->flat_end = offset + sent.length;
  }
  entry.fail_to_read(sent.read_error);
  if (sent.length < length) reading->note_cut(offset + sent.length);
}

// Up to `end` the flat digest sees zeros.
void EntrySender::feed_hole(Reading& reading, uint64_t end) {
  while (reading.flat && reading.flat_end < end) {
    const uint64_t piece = std::min(end - reading.flat_end, kLongHashBytes);
    reading.flat->update_zeros(piece);
    reading.flat_end += piece;
    check_stop();
    link_.heartbeat_if_due();
  }
}

// Up to the end of the file, when that has become shorter than the hole.
void EntrySender::send_hole(OutgoingEntry& entry, Extent hole) {
  Reading& reading = *entry.reading;
  struct stat now {};
  const uint64_t end = hole.offset + hole.length;
  // "No data after here" is also what a file says that was cut meanwhile.
  const uint64_t size_now =
      fstat(reading.file->fd(), &now) == 0 ? static_cast<uint64_t>(now.st_size) : end;
  const uint64_t length = std::min(end, std::max(size_now, hole.offset)) - hole.offset;
  if (length < hole.length) reading.note_cut(hole.offset + length);
  if (length == 0) return;
  entry.bytes += length;
  if ((reading.hole_bytes += length) > kMostHashedZeros) reading.flat.reset();
  link_.queue(FrameType::Hole, entry.id, hole.offset, encode(Hole{length}));
  console_.add_bytes(length);
}

// The digest of the file as one, when its blocks were read in no particular order. Left out when
// the file is no longer the one that was sent.
void EntrySender::digest_again(OutgoingEntry& entry) {
  const SourceFile& file = *entry.reading->file;
  if (file.change() == Change::Content || entry.reading->hole_bytes > kMostHashedZeros) return;
  link_.with_heartbeats([&] {
    Hasher hasher;
    PageBuffer buffer(kDigestBufferBytes);
    for (uint64_t at = 0; at < entry.bytes;) {
      check_stop();
      const auto piece = buffer.first(std::min<uint64_t>(buffer.size(), entry.bytes - at));
      if (pread_full(file.fd(), piece, at) != static_cast<ssize_t>(piece.size())) return;
      hasher.update(piece);
      at += piece.size();
    }
    if (file.change() != Change::Content) entry.digest = hasher.value();
  });
}

}  // namespace zx
