// SPDX-License-Identifier: MIT
#include "zrecv/lane.h"

#include "common/base/defer.h"
#include "common/base/error.h"

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
  if (!claimed) return drop(h, {});
  if (claimed->kind == Arrived::Claim::Known) return drop(h, encode(claimed->known));
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

// The sender need not keep what this side does not want, or has.
void IncomingLane::drop(const FrameHeader& h, Bytes ack) {
  discard(link_.channel(), h.length);
  (void)read_digest(h);
  answer(FrameType::Ack, h, std::move(ack));
}

void IncomingLane::take_wanted(const FrameHeader& h, const OpenEntries::Entry& entry) {
  auto mine = write(h, *entry);
  const BlockDigest theirs = read_digest(h);
  if (theirs.length < h.length && mine)
    mine = entry->digest_of_range(h.offset, theirs.length, buffer_);
  const std::string what = entry->describe();  // another lane may complete it once it is settled
  const auto settled =
      mine ? entry->settle(h, number_, *mine, theirs) : std::optional<Arrived::Settled>{};
  const bool damaged = settled && settled->kind == Arrived::Settled::Again;
  if (!entries_.settled(entry, damaged) || !damaged) return answer(FrameType::Ack, h, {});
  console_.detail((number_ == 0 ? "" : "connection " + std::to_string(number_) + ": ") + what +
                  ": the block at " + std::to_string(h.offset) +
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
  const int error = engine.receive(entry.fd(), h.offset, h.length,
                                   [&](uint64_t bytes, std::span<const std::byte> memory) {
                                     if (!resent) console_.add_bytes(bytes);
                                     link_.heartbeat_if_due();
                                     if (memory.empty()) {
                                       unhashed_bytes_ += bytes;
                                       if (unhashed_bytes_ >= buffer_.size())
                                         hash_fresh(entry, uncached);
                                       return;
                                     }
                                     // What goes past the page cache is not read back: that would
                                     // bring it in.
                                     hash_fresh(entry, uncached);
                                     hasher_.update(memory);
                                     entry.feed(unhashed_offset_, memory);
                                     unhashed_offset_ += memory.size();
                                   });
  if (error != 0) {
    entry.fail(file_status_of_errno(error), entry.describe() + ": write: " + errno_text(error));
    return std::nullopt;
  }
  hash_fresh(entry, uncached);
  return hasher_.value();
}

// What counts is what the file holds now, not what was meant to be written: it is read back, from
// the page cache and while it is hot. That catches a fault anywhere between socket and file.
void IncomingLane::hash_fresh(IncomingEntry& entry, bool uncached) {
  entry.read_back(unhashed_offset_, unhashed_bytes_, uncached, buffer_, [&](auto piece) {
    hasher_.update(piece);
    entry.feed(unhashed_offset_, piece);
    unhashed_offset_ += piece.size();
  });
  unhashed_bytes_ = 0;
}

BlockDigest IncomingLane::read_digest(const FrameHeader& h) {
  const Frame frame = link_.read();
  if (frame.header.type != FrameType::DataDigest)
    unexpected_frame(frame.header, "before the DIGEST of the block before");
  if (frame.header.entry != h.entry || frame.header.offset != h.offset)
    protocol("a DIGEST without its DATA");
  const BlockDigest digest = decode<BlockDigest>(frame.body);
  if (digest.length > h.length) protocol("a DIGEST longer than its DATA");
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
