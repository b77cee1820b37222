// SPDX-License-Identifier: MIT
#include "common/session/link.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <future>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// How long a dying side stays to let its ERROR arrive.
constexpr auto kLastWords = std::chrono::milliseconds(2000);
constexpr uint64_t kLookBytes = 1 << 20;
// Behind the header of a block of this size and more nothing is read ahead: its content goes into
// the file without a copy through memory.
constexpr uint32_t kNotAheadOf = 64 << 10;
// Counted messages that are taken before the peer hears of it.
constexpr uint64_t kTellTaken = 64;

}  // namespace

void unexpected_frame(const FrameHeader& header, const char* when) {
  throw Error(ExitStatus::Protocol,
              std::string("peer sent ") + frame_name(header.type) + " " + when);
}

void require_empty(const Frame& frame) {
  if (!frame.body.empty())
    throw Error(ExitStatus::Protocol,
                std::string("peer sent ") + frame_name(frame.header.type) + " with content");
}

void Link::queue(FrameType type, uint64_t entry, uint64_t offset, Bytes body) {
  const Bytes payload = seal(std::move(body));
  const auto header =
      encode_header({type, 0, static_cast<uint32_t>(payload.size()), entry, offset});
  const size_t begin = queued_.size();
  queued_.insert(queued_.end(), header.begin(), header.end());
  queued_.insert(queued_.end(), payload.begin(), payload.end());
  sent_bytes_ += header.size() + payload.size();
  if (!replay_) return;
  const auto frame = queued_.begin() + static_cast<std::ptrdiff_t>(begin);
  if (is_counted(type)) replay_->keep(Bytes(frame, queued_.end()));
  if (type == FrameType::Ack) sent_acks_.keep(Bytes(frame, queued_.end()));
}

void Link::queue_data_header(uint64_t entry, uint64_t offset, uint32_t length, uint16_t flags) {
  in_payload_ = true;
  const auto header = encode_header({FrameType::Data, flags, length, entry, offset});
  queued_.insert(queued_.end(), header.begin(), header.end());
  sent_bytes_ += header.size() + length;
  unseen_bytes_ += length;
}

void Link::queue_payload(ByteView bytes) {
  queued_.insert(queued_.end(), bytes.begin(), bytes.end());
  in_payload_ = false;
}

void Link::payload_done() {
  in_payload_ = false;
  heard_ = Clock::now();  // a peer that took the block is there, however long it took
  if (look_is_due()) note_look(bytes_not_sent(channel_->socket().fd()) > 0);
}

bool Link::look_is_due() const {
  return unseen_bytes_ >= kLookBytes;
}

// Not at every one of many small files. A receiver does not look before its first block, when its
// socket has but the room it began with.
void Link::note_look(bool backlog) {
  unseen_bytes_ = 0;
  const auto now = Clock::now();
  if (looks_++ > 0) {
    looked_ += now - last_look_;
    if (backlog) backlogged_ += now - last_look_;
  }
  last_look_ = now;
}

QueueLooks Link::queue_looks() const {
  const double share = looked_.count() > 0 ? static_cast<double>(backlogged_.count()) /
                                                 static_cast<double>(looked_.count())
                                           : 0;
  return {looks_, static_cast<uint32_t>(share * looks_ + 0.5)};
}

void Link::flush() {
  // The peer keeps what this side has not counted; it may send so fast that this side never waits.
  if (taken_ - told_taken_ >= kTellTaken) queue_heartbeat();
  Bytes out = take_queued();
  if (out.empty()) return;
  channel_->send(out, More::No);
  spoken_ = Clock::now();
  // Its memory is used again: new pages cost as much as what is copied into them.
  out.clear();
  if (queued_.empty()) queued_ = std::move(out);
}

void Link::send(FrameType type, uint64_t entry, uint64_t offset, Bytes body) {
  queue(type, entry, offset, std::move(body));
  flush();
}

void Link::send_heartbeat() {
  queue_heartbeat();
  flush();
}

void Link::keep_alive() noexcept {
  try {
    if (!in_payload_) heartbeat_if_due();
  } catch (...) {
  }
}

void Link::queue_heartbeat() {
  told_taken_ = taken_;
  queue(FrameType::Heartbeat, 0, 0, encode(Heartbeat{taken_}));
}

void Link::replace_channel(std::unique_ptr<Channel> channel, Role role, uint64_t peer_has_taken,
                           uint64_t peers_acks) {
  earlier_figures_ = tcp_figures();
  channel_ = std::move(channel);
  replay_->forget(peer_has_taken);
  queued_ = replay_->rest();
  if (role == Role::Receiver) {
    const Bytes acks = sent_acks_.rest(peers_acks);
    queued_.insert(queued_.end(), acks.begin(), acks.end());
  } else {
    if (peers_acks < taken_acks_ || peers_acks - taken_acks_ > kMaxUnacknowledged)
      throw Error(ExitStatus::Protocol, "peer has counted other ACKs than it has sent");
    retold_up_to_ = peers_acks;
  }
  sent_bytes_ = queued_.size();
  received_before_ = received_bytes_;
  in_payload_ = payload_comes_ = ended_ = false;
  heard_ = Clock::now();
}

TcpFigures Link::tcp_figures() const {
  TcpFigures all = earlier_figures_;
  all.add(zx::tcp_figures(channel_->socket().fd()));
  return all;
}

Frame Link::read() {
  for (;;)
    if (auto frame = read_one()) return std::move(*frame);
}

std::optional<Frame> Link::read_if_any() {
  while (!early_.empty() || channel_->readable_now())
    if (auto frame = read_one()) return frame;
  return std::nullopt;
}

std::optional<Frame> Link::read_one() {
  if (early_.empty()) return receive_one();
  Frame frame = std::move(early_.front());
  early_.pop_front();
  return frame;
}

std::optional<Frame> Link::receive_one() {
  check_stop();            // a peer that never lets us wait must not keep us from a signal
  payload_comes_ = false;  // whoever reads on has taken it
  if (read_ahead_) channel_->read_ahead();
  FrameHeaderBytes raw{};
  const size_t first = channel_->recv_some(raw);
  ended_ = first == 0;
  if (ended_) channel_->ended_early();
  channel_->recv_exact(std::span(raw).subspan(first));
  Frame frame{decode_header(raw), {}};
  received_bytes_ += raw.size() + frame.header.length;
  const bool data = frame.header.type == FrameType::Data;
  // The next frame is mostly like this one; behind a block comes its digest.
  if (data)
    read_ahead_ = frame.header.length < kNotAheadOf;
  else if (frame.header.type != FrameType::DataDigest)
    read_ahead_ = true;
  const uint16_t flags = frame.header.flags;
  if (is_known(frame.header.type) && (data ? flags & ~(kFlagResent | kAttemptMask) : flags) != 0)
    throw Error(ExitStatus::Protocol,
                std::string("peer sent ") + frame_name(frame.header.type) + " with unknown flags");
  if (data) {
    payload_comes_ = true;
    heard_ = Clock::now();
    if (look_is_due()) note_look(has_receive_backlog(channel_->socket().fd()));
    unseen_bytes_ += frame.header.length;
    return frame;
  }
  Bytes payload(frame.header.length);
  channel_->recv_exact(payload);
  heard_ = Clock::now();
  const size_t body_bytes = unseal(payload).size();
  payload.resize(body_bytes);
  const ByteView body = payload;
  if (frame.header.type == FrameType::ErrorReport) {
    const ErrorMessage error = decode<ErrorMessage>(body);
    throw Error(error.status, "peer: " + quote_peer_text(error.text), Origin::Peer);
  }
  if (frame.header.type == FrameType::Heartbeat) {
    const uint64_t taken = decode<Heartbeat>(body).taken;
    if (replay_) replay_->forget(taken);
    return std::nullopt;
  }
  if (!is_known(frame.header.type)) {
    if ((static_cast<uint16_t>(frame.header.type) & kMustUnderstand) == 0) return std::nullopt;
    throw Error(ExitStatus::Protocol, "peer sent a frame of unknown type " +
                                          std::to_string(static_cast<uint16_t>(frame.header.type)));
  }
  frame.body = std::move(payload);
  if (replay_ && is_counted(frame.header.type)) ++taken_;
  if (replay_ && frame.header.type == FrameType::Ack) ++taken_acks_;
  return frame;
}

void Link::wait(std::chrono::milliseconds limit, int other, int another) {
  const auto give_up = Clock::now() + limit;
  const Socket& socket = channel_->socket();
  for (;;) {
    if (!early_.empty()) return;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - Clock::now());
    const auto slice = std::clamp(left, std::chrono::milliseconds(0), heartbeat_);
    if (channel_->readable_now() ||
        wait_any({{socket.fd()}, {other}, {another}}, Clock::now() + slice))
      return;
    if (Clock::now() - heard_ > socket.idle_timeout()) socket.fail("receive", EAGAIN);
    if (slice == heartbeat_) send_heartbeat();
    if (Clock::now() >= give_up) return;
  }
}

void Link::with_heartbeats(const std::function<void()>& work) {
  std::atomic<bool> unwanted{false};
  auto done = std::async(std::launch::async, [&] {  // its end is waited for, also by an exception
    const CancelScope scope(unwanted);
    work();
  });
  while (done.wait_for(heartbeat_) != std::future_status::ready) {
    try {
      send_heartbeat();
    } catch (...) {
      unwanted = true;
      throw;
    }
  }
  done.get();
}

void Link::send_error(ExitStatus status, const std::string& text) noexcept {
  const LastWordsScope scope;
  try {
    queued_.clear();
    // A peer that no longer reads must not hold us here for the whole idle time-out.
    channel_->socket().set_deadline(Clock::now() + kLastWords);
    // Within a payload it would be taken for content; with TLS the end alone says something there.
    if (!in_payload_) send(FrameType::ErrorReport, 0, 0, encode(ErrorMessage{status, text}));
    channel_->finish_sending();
    channel_->socket().drain(kLastWords);
  } catch (...) {
    // The connection is gone: the peer finds out by itself.
  }
}

void Link::look_for_peer_error(const std::function<void(const Frame&)>& acked) {
  if (payload_comes_) return;  // content is not to be taken for frames
  channel_->socket().set_deadline(Clock::now() + kLastWords);
  try {
    // What was counted will not come again. More than fits into the buffers of a connection comes
    // from a peer that has not lost it.
    for (uint64_t bytes = 0; bytes < kMaxUncountedBytes && channel_->readable_now();) {
      auto frame = receive_one();
      if (payload_comes_) return;  // nothing more can be understood
      if (!frame) continue;
      bytes += frame->body.size() + kFrameHeaderBytes;
      if (frame->header.type == FrameType::Ack && acked)
        acked(*frame);
      else if (is_counted(frame->header.type))
        early_.push_back(std::move(*frame));
    }
  } catch (const Error& last_word) {
    if (last_word.origin() == Origin::Peer) throw;
  }
}

}  // namespace zx
