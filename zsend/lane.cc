// SPDX-License-Identifier: MIT
#include "zsend/lane.h"

#include <algorithm>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/quote.h"

namespace zx {
namespace {

// More than the longest and fastest path has on its way.
constexpr uint64_t kMostBytes = 256 << 20;
// Of small files, whose content is kept.
constexpr uint64_t kMostMemory = 32 << 20;

// See serve_lane().
bool serve(Link& link, Session& session, Lane& lane, BlockQueue& queue,
           const std::function<void(const Frame&)>& take) {
  for (;;) {
    while (const auto frame = link.read_if_any()) {
      if (frame->header.type != FrameType::Ack && frame->header.type != FrameType::Retry)
        unexpected_frame(frame->header, "on a further connection");
      take(*frame);
    }
    const bool worn = session.key_is_worn(link);
    const bool closed = queue.closed();
    if (lane.empty() && closed) {
      link.send(FrameType::Bye, 0, 0, encode(Bye{ExitStatus::Ok}));
      return true;
    }
    if (lane.empty() && worn) {
      link.flush();
      return false;
    }
    const bool room = !worn && lane.has_room();
    if (auto block = room ? queue.take() : std::nullopt) {
      (void)lane.send(std::move(*block), nullptr);
      continue;
    }
    link.flush();
    link.wait(session.heartbeat(), room && !closed ? queue.event_fd() : -1);
  }
}

}  // namespace

bool Lane::has_room() const {
  return under_way_.size() < kMaxUnacknowledged && bytes_ < kMostBytes &&
         memory_bytes_ < kMostMemory;
}

SentBlock Lane::send(Block block, Hasher* flat) {
  // As if the peer had said it: this one is not to be made again.
  if (block.attempt > kMaxAttempt)
    throw Error(ExitStatus::Network, "one block was lost with too many connections", Origin::Peer);
  // Before the first byte: if the connection is lost in the middle, the block is given back.
  Block& b = under_way_.emplace_back(std::move(block));
  bytes_ += b.length;
  SentBlock sent;
  if (b.bytes) {
    memory_bytes_ += b.length;
    link_.queue_data_header(b.entry, b.offset, b.length, attempt_flags(b.attempt));
    link_.queue_payload(*b.bytes);
    console_.add_bytes(b.length);
    sent = {b.length, digest_of(*b.bytes), 0};
  } else {
    BlockSender& engine = engines_.pick(b.facts);  // may throw: before the header is promised
    link_.queue_data_header(b.entry, b.offset, b.length, attempt_flags(b.attempt));
    sent = engine.send(*b.file, b.offset, b.length, link_.take_queued(), flat,
                       [&](uint64_t n) { console_.add_bytes(n); });
    link_.payload_done();
  }
  queue_digest(b, sent);
  return sent;
}

void Lane::queue_digest(Block& b, const SentBlock& sent) {
  b.sent.push_back({sent.length, sent.digest});
  b.read_error = sent.read_error;
  link_.queue(FrameType::DataDigest, b.entry, b.offset, encode(b.sent.back()));
}

Delivered acknowledged(Block&& block, const Frame& ack) {
  const std::vector<BlockDigest>& sent = block.sent;
  if (sent.empty()) throw Error(ExitStatus::Protocol, "peer speaks of a block that was not sent");
  BlockDigest kept = sent.back();
  if (!ack.body.empty()) {
    // An earlier copy, whose ACK was lost with a connection.
    kept = decode<BlockDigest>(ack.body);
    if (std::ranges::find(sent, kept) == sent.end())
      throw Error(ExitStatus::Protocol, "peer keeps a copy of a block that was not sent");
  }
  const bool changed = kept != sent.front();
  return {std::move(block), kept, changed};
}

std::optional<Delivered> Lane::take_answer(const Frame& frame) {
  const auto found = std::ranges::find_if(under_way_, [&](const Block& b) {
    return b.entry == frame.header.entry && b.offset == frame.header.offset;
  });
  if (found == under_way_.end() || found->sent.empty())
    throw Error(ExitStatus::Protocol, "peer speaks of a block that was not sent");
  if (frame.header.type == FrameType::Retry) {
    // It will be answered after all that was sent before.
    under_way_.splice(under_way_.end(), under_way_, found);
    send_again(*found, decode<Retry>(frame.body).length);
    return std::nullopt;
  }
  Delivered delivered = acknowledged(std::move(*found), frame);
  under_way_.erase(found);
  bytes_ -= delivered.block.length;
  if (delivered.block.bytes) memory_bytes_ -= delivered.block.length;
  return delivered;
}

void Lane::send_again(Block& b, uint32_t length) {
  if (b.sent.back().length != length)
    throw Error(ExitStatus::Protocol, "peer asked again for a block that was not sent");
  if (++b.resent > kMaxBlockRetries)
    throw Error(ExitStatus::Protocol, "peer asked for one block too often");
  console_.detail((b.file ? quote(b.file->path()) : "a small file") + ": the block at " +
                  std::to_string(b.offset) + " did not arrive as it was read; sending it again");
  link_.queue_data_header(b.entry, b.offset, length, kFlagResent);
  if (b.bytes) {
    link_.queue_payload(*b.bytes);
    queue_digest(b, {b.length, b.sent.back().digest, 0});
  } else {
    const PrivateBlock again = read_private_block(*b.file, b.offset, length);
    link_.channel().send(link_.take_queued(), More::Yes);
    link_.channel().send(again.bytes, More::Yes);
    link_.payload_done();
    queue_digest(b, again.block);
  }
  link_.flush();
}

std::vector<Block> Lane::give_back() {
  std::vector<Block> out;
  for (Block& b : under_way_) {
    ++b.attempt;
    b.resent = 0;
    out.push_back(std::move(b));
  }
  under_way_.clear();
  bytes_ = memory_bytes_ = 0;
  return out;
}

bool serve_lane(Link& link, Session& session, const EngineOptions& options, Console& console,
                BlockQueue& queue, const std::function<void(Delivered)>& deliver) {
  SendEngines engines(link.channel(), options);
  Lane lane(link, engines, console);
  const Defer at_the_end([&] { queue.give_back(lane.give_back()); });
  const auto take = [&](const Frame& answer) {
    if (auto done = lane.take_answer(answer)) deliver(std::move(*done));
  };
  try {
    return serve(link, session, lane, queue, take);
  } catch (const Error& error) {
    if (error.status() == ExitStatus::Network) link.look_for_peer_error(take);
    throw;
  }
}

}  // namespace zx
