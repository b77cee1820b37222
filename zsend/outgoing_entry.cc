// SPDX-License-Identifier: MIT
#include "zsend/outgoing_entry.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"

namespace zx {
namespace {

// As many as the receiver remembers. More come before a block only when its connection is far
// slower than the others.
constexpr size_t kMostAhead = kMaxUnacknowledged * kMaxStreams;

}  // namespace

void set_metadata(EntryInfo& info, const struct stat& st) {
  info.mtime_sec = st.st_mtim.tv_sec;
  // Some file systems give nonsense, negative for instance.
  const auto nanoseconds = static_cast<uint64_t>(st.st_mtim.tv_nsec);
  info.mtime_nsec = nanoseconds < 1'000'000'000 ? static_cast<uint32_t>(nanoseconds) : 0;
  info.mode = st.st_mode & 07777;
}

void OutgoingEntry::fail(ExitStatus why, const std::string& text) {
  if (failed()) return;
  status = why;
  reason = text;
}

void OutgoingEntry::fail_to_read(int error) {
  if (error != 0) fail(ExitStatus::FileIo, quote(name) + ": read: " + errno_text(error));
}

void OutgoingEntry::note_change(const SourceFile& file) {
  const Change change = file.change();
  changed = change == Change::Content || bytes != file.size();
  if (change == Change::Inode && !changed) caveats[Caveat::Inode];
}

void OutgoingEntry::take(const Delivered& d) {
  retransmitted_blocks += static_cast<uint64_t>(d.block.resent);
  if (!reading) return;  // a small one, whose content cannot have changed
  const uint64_t offset = d.block.offset;
  reading->unacknowledged.erase(offset);
  if (d.kept.length > 0) reading->ahead[offset] = block_part(offset, d.kept.length, d.kept.digest);
  // The flat digest was of other bytes; it cannot be mended without reading all of them again.
  if (d.changed) reading->flat.reset();
  fail_to_read(d.block.read_error);
  if (d.kept.length < d.block.length) reading->note_cut(offset + d.kept.length);
  settle_parts();
  if (reading->pipe != nullptr)
    reading->pipe->release_to(reading->unacknowledged.empty() ? bytes
                                                              : *reading->unacknowledged.begin());
}

void OutgoingEntry::settle_parts() {
  auto& ahead = reading->ahead;
  const auto& missing = reading->unacknowledged;
  const uint64_t gap = missing.empty() ? UINT64_MAX : *missing.begin();
  while (!ahead.empty() && (ahead.begin()->first < gap || ahead.size() > kMostAhead) &&
         ahead.begin()->first < reading->cut_at.value_or(UINT64_MAX)) {
    reading->counted_end = ahead.begin()->first + 1;
    sum.add(ahead.begin()->second);
    ahead.erase(ahead.begin());
  }
}

EntryEnd OutgoingEntry::end() const {
  EntryEnd out{changed, status, sum.value(), digest && !failed(), {}, reason};
  out.whole = whole && !failed();
  if (out.has_file_digest) out.file_digest = *digest;
  return out;
}

void OutgoingEntry::finish_reading() {
  // A source that became shorter ends where the first short block does. What was found behind that
  // in another block was there at another time, and counts for nothing.
  if (reading->cut_at) {
    bytes = *reading->cut_at;
    if (reading->counted_end > bytes)
      fail(ExitStatus::FileIo, quote(name) + ": was cut while it was sent");
  } else if (reading->flat) {
    digest = reading->flat->value();
  }
  // What comes out of a pipe is what there was.
  if (reading->pipe == nullptr) note_change(*reading->file);
}

void OutgoingEntry::conclude(const Result& result) {
  if (result.status == ExitStatus::Ok && !result.skipped && (!end_sent || failed()))
    throw Error(ExitStatus::Protocol, "peer calls an entry committed that was not sent whole");
  if (!failed()) {  // our own failure comes back as the receiver's: our words for it stay
    status = result.status;
    if (!result.reason.empty())
      reason = (result.skipped ? "" : "peer: ") + quote_peer_text(result.reason, kMaxReasonBytes);
  }
  skipped = result.skipped;
  changed = changed && !skipped;
  block_sum = sum.value();
  for (const CaveatKind& known : kCaveatKinds)
    if (result.caveats[static_cast<size_t>(known.caveat)]) caveats[known.caveat];
  if (!reading || reading->pipe == nullptr) return;
  reading->pipe->stop();
  reading->pipe->release_to(reading->pipe->end());
}

}  // namespace zx
