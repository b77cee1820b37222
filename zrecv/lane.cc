// SPDX-License-Identifier: MIT
#include "zrecv/lane.h"

#include <algorithm>
#include <cerrno>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {
namespace {

// Freshly written bytes are hashed when so many have gathered: few calls, and still in cache (as
// fast as 64 KiB on a CPU with 512 KiB of L2, measured).
constexpr size_t kReadBackBytes = 1 << 20;
// Answers to blocks that are shorter than this may wait for those of the next ones, when these have
// come already; up to so many bytes of them.
constexpr uint32_t kShortBlockBytes = 256 << 10;
constexpr size_t kMaxAnswerBytes = 4 << 10;
// Between two looks whether another lane has ended.
constexpr std::chrono::milliseconds kLookForRival{10};
// For blocks that are received a second time.
const Choice kSentAgain{Engine::ReadWrite, "sent again"};

}  // namespace

IncomingLane::IncomingLane(uint16_t number, Link& link, RecvEngines& engines, OpenEntries& entries,
                           Session& session, Console& console)
    : number_(number),
      link_(link),
      engines_(engines),
      entries_(entries),
      session_(session),
      console_(console),
      buffer_(kReadBackBytes) {}

void IncomingLane::take(const FrameHeader& h) {
  // On another connection the block may have overtaken its ENTRY.
  if (number_ != 0 && !entries_.is_announced(h))
    link_.with_heartbeats([&] { entries_.await(h, session_.timeout()); });
  const auto entry = entries_.find(h);
  const auto claimed = entry ? claim(h, *entry) : std::nullopt;
  if (!claimed) return take_unwanted(h);
  if (claimed->kind == Arrived::Claim::Known) return take_known(h, claimed->known);
  take_wanted(h, entry);
}

// Nothing is held while another lane is waited for, so that no two wait for each other.
std::optional<Arrived::Claim> IncomingLane::claim(const FrameHeader& h, IncomingEntry& entry) {
  auto claim = entry.claim(h, number_);
  if (!claim || claim->kind != Arrived::Claim::Rival) return claim;
  link_.with_heartbeats([&] {
    while (claim && claim->kind == Arrived::Claim::Rival) {
      session_.connections().evict(claim->rival);
      pause_for(kLookForRival);
      claim = entry.claim(h, number_);
    }
  });
  return claim;
}

// The sender need not keep what this side does not want.
void IncomingLane::take_unwanted(const FrameHeader& h) {
  discard(link_.channel(), h.length);
  (void)read_digest(h);
  answer(FrameType::Ack, h, {});
}

void IncomingLane::take_known(const FrameHeader& h, const BlockDigest& known) {
  discard(link_.channel(), h.length);
  (void)read_digest(h);
  answer(FrameType::Ack, h, encode(known));
}

void IncomingLane::take_wanted(const FrameHeader& h, const OpenEntries::Entry& entry) {
  auto mine = write(h, *entry);
  const BlockDigest theirs = read_digest(h);
  if (theirs.length < h.length && mine)
    mine = entry->digest_of_range(h.offset, std::min(theirs.length, h.length), buffer_);
  const auto settled =
      mine ? entry->settle(h, number_, *mine, theirs) : std::optional<Arrived::Settled>{};
  const bool damaged = settled && settled->kind == Arrived::Settled::Again;
  if (!entries_.settled(entry, damaged) || !damaged) return answer(FrameType::Ack, h, {});
  console_.detail((number_ == 0 ? "" : "connection " + std::to_string(number_) + ": ") +
                  entry->describe() + ": the block at " + std::to_string(h.offset) +
                  " is not what was sent; asking for it again");
  answer(FrameType::Retry, h, encode(Retry{settled->length}));
}

// The payload into the file. Returns the digest of what the file then holds; nothing when the entry
// has failed: the payload was dropped.
std::optional<Digest> IncomingLane::write(const FrameHeader& h, IncomingEntry& entry) {
  auto facts = entry.open(engines_);
  if (facts && !entry.has_room(h)) {
    // Until then the peer is held by TCP; it must not take that for a dead receiver.
    link_.with_heartbeats([&] { entry.await_room(h, session_.timeout()); });
    facts = entry.open(engines_);  // it may have failed meanwhile
  }
  if (!facts) {
    discard(link_.channel(), h.length);
    return std::nullopt;
  }
  const bool resent = (h.flags & kFlagResent) != 0;
  std::optional<BlockReceiver> buffered;
  if (resent) buffered.emplace(link_.channel(), kSentAgain);
  BlockReceiver& engine = resent ? *buffered : engines_.pick(*facts);
  hasher_.reset();
  unhashed_offset_ = h.offset;
  unhashed_bytes_ = 0;
  const bool uncached = engine.uncached();
  int read_error = 0;
  const int error = engine.receive(entry.fd(), h.offset, h.length,
                                   [&](uint64_t bytes, std::span<const std::byte> memory) {
                                     if (!resent) console_.add_bytes(bytes);
                                     link_.heartbeat_if_due();
                                     if (memory.empty()) {
                                       unhashed_bytes_ += bytes;
                                       if (unhashed_bytes_ >= buffer_.size())
                                         hash_fresh(entry, uncached, &read_error);
                                       return;
                                     }
                                     // What goes past the page cache is not read back: that would
                                     // bring it in.
                                     hash_fresh(entry, uncached, &read_error);
                                     hasher_.update(memory);
                                     entry.feed(unhashed_offset_, memory);
                                     unhashed_offset_ += memory.size();
                                   });
  if (error == 0) hash_fresh(entry, uncached, &read_error);
  if (error != 0)
    entry.fail(file_status_of_errno(error), entry.describe() + ": write: " + errno_text(error));
  else if (read_error != 0)
    entry.fail(ExitStatus::FileIo,
               entry.describe() + ": read what was written: " + errno_text(read_error));
  return error == 0 && read_error == 0 ? std::optional(hasher_.value()) : std::nullopt;
}

// What counts is what the file holds now, not what was meant to be written: it is read back, from
// the page cache and while it is hot. That catches a fault anywhere between socket and file.
void IncomingLane::hash_fresh(IncomingEntry& entry, bool uncached, int* error) {
  while (unhashed_bytes_ > 0 && *error == 0) {
    const auto piece = buffer_.first(std::min<uint64_t>(buffer_.size(), unhashed_bytes_));
    const ssize_t n = pread_full(entry.fd(), piece, unhashed_offset_, uncached);
    if (n != static_cast<ssize_t>(piece.size())) {
      *error = n < 0 ? static_cast<int>(-n) : EIO;
      return;
    }
    hasher_.update(piece);
    entry.feed(unhashed_offset_, piece);
    unhashed_offset_ += piece.size();
    unhashed_bytes_ -= piece.size();
  }
}

BlockDigest IncomingLane::read_digest(const FrameHeader& h) {
  const Frame frame = link_.read();
  if (frame.header.type != FrameType::DataDigest)
    unexpected_frame(frame.header, "before the DIGEST of the block before");
  if (frame.header.entry != h.entry || frame.header.offset != h.offset)
    throw Error(ExitStatus::Protocol, "peer sent a DIGEST without its DATA");
  const BlockDigest digest = decode<BlockDigest>(frame.body);
  if (digest.length > h.length)
    throw Error(ExitStatus::Protocol, "peer sent a DIGEST longer than its DATA");
  return digest;
}

void IncomingLane::answer(FrameType type, const FrameHeader& h, Bytes body) {
  link_.queue(type, h.entry, h.offset, std::move(body));
  const bool more_comes = h.length < kShortBlockBytes && link_.queued_bytes() < kMaxAnswerBytes &&
                          link_.channel().readable_now();
  if (!more_comes) link_.flush();
}

void serve_lane(uint16_t number, Link& link, const EngineOptions& options, OpenEntries& entries,
                Session& session, Console& console) {
  const Defer release([&] { entries.release(number); });
  RecvEngines engines(link.channel(), options);
  IncomingLane lane(number, link, engines, entries, session, console);
  for (;;) {
    const auto frame = link.read_if_any();
    if (!frame) {
      link.flush();
      link.wait(kNoLimit);
    } else if (frame->header.type == FrameType::Data) {
      lane.take(frame->header);
    } else if (frame->header.type == FrameType::Bye) {
      (void)decode<Bye>(frame->body);
      return;
    } else {
      unexpected_frame(frame->header, "on a further connection");
    }
  }
}

}  // namespace zx
