// SPDX-License-Identifier: MIT
#include "common/session/link.h"

#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// Well below the smallest idle time-out a peer may have set (1 s is the least, and too short for
// anything but a test).
constexpr auto kHeartbeat = std::chrono::milliseconds(400);
// How long a dying side stays to let its ERROR arrive.
constexpr auto kLastWords = std::chrono::milliseconds(2000);
constexpr uint64_t kLookBytes = 1 << 20;

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
  queued_.insert(queued_.end(), header.begin(), header.end());
  queued_.insert(queued_.end(), payload.begin(), payload.end());
  sent_bytes_ += header.size() + payload.size();
}

void Link::queue_data_header(uint64_t entry, uint64_t offset, uint32_t length, uint16_t flags) {
  in_payload_ = true;
  const auto header = encode_header({FrameType::Data, flags, length, entry, offset});
  queued_.insert(queued_.end(), header.begin(), header.end());
  sent_bytes_ += header.size() + length;
  unseen_bytes_ += length;
}

void Link::payload_done() {
  in_payload_ = false;
  if (look_is_due() && bytes_not_sent(channel_->socket().fd()) > 0) ++looks_.backlogs;
}

// True when it is time for one: not at every one of many small files. A receiver does not look
// before its first block, when its socket has but the room it began with.
bool Link::look_is_due() {
  if (unseen_bytes_ < kLookBytes) return false;
  unseen_bytes_ = 0;
  ++looks_.looks;
  return true;
}

void Link::flush() {
  const Bytes out = take_queued();
  if (!out.empty()) channel_->send(out, More::No);
}

void Link::send(FrameType type, uint64_t entry, uint64_t offset, Bytes body) {
  queue(type, entry, offset, std::move(body));
  flush();
}

void Link::replace_channel(std::unique_ptr<Channel> channel) {
  earlier_figures_ = tcp_figures();
  channel_ = std::move(channel);
  sent_bytes_ = 0;
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
  while (channel_->readable_now())
    if (auto frame = read_one()) return frame;
  return std::nullopt;
}

std::optional<Frame> Link::read_one() {
  check_stop();  // a peer that never lets us wait must not keep us from a signal
  FrameHeaderBytes raw{};
  channel_->recv_exact(raw);
  Frame frame{decode_header(raw), {}};
  received_bytes_ += raw.size() + frame.header.length;
  const bool data = frame.header.type == FrameType::Data;
  const uint16_t flags = frame.header.flags;
  if (is_known(frame.header.type) && (data ? flags & ~(kFlagResent | kAttemptMask) : flags) != 0)
    throw Error(ExitStatus::Protocol,
                std::string("peer sent ") + frame_name(frame.header.type) + " with unknown flags");
  if (data) {
    if (look_is_due() && receive_buffer_half_full(channel_->socket().fd())) ++looks_.backlogs;
    unseen_bytes_ += frame.header.length;
    return frame;
  }
  Bytes payload(frame.header.length);
  channel_->recv_exact(payload);
  const ByteView body = unseal(payload);
  if (frame.header.type == FrameType::ErrorReport) {
    const ErrorMessage error = decode_error(body);
    throw Error(error.status, "peer: " + quote_peer_text(error.text), Origin::Peer);
  }
  if (frame.header.type == FrameType::Heartbeat) return std::nullopt;
  if (!is_known(frame.header.type)) {
    if ((static_cast<uint16_t>(frame.header.type) & kMustUnderstand) == 0) return std::nullopt;
    throw Error(ExitStatus::Protocol, "peer sent a frame of unknown type " +
                                          std::to_string(static_cast<uint16_t>(frame.header.type)));
  }
  frame.body.assign(body.begin(), body.end());
  return frame;
}

void Link::with_heartbeats(const std::function<void()>& work) {
  std::mutex mutex;
  std::condition_variable done_changed;
  bool done = false;
  std::exception_ptr error;
  std::atomic<bool> unwanted{false};
  std::jthread worker([&] {
    const CancelScope scope(unwanted);
    try {
      work();
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    done = true;
    done_changed.notify_one();
  });
  std::unique_lock lock(mutex);
  while (!done_changed.wait_for(lock, kHeartbeat, [&] { return done; })) {
    lock.unlock();
    try {
      send(FrameType::Heartbeat, 0, 0, {});
    } catch (...) {
      unwanted = true;
      throw;
    }
    lock.lock();
  }
  lock.unlock();
  worker.join();
  if (error) std::rethrow_exception(error);
}

void Link::send_error(ExitStatus status, const std::string& text) noexcept {
  if (in_payload_) return;  // it would be taken for content
  try {
    queued_.clear();
    // A peer that no longer reads must not hold us here for the whole idle time-out.
    channel_->socket().set_deadline(Clock::now() + kLastWords);
    send(FrameType::ErrorReport, 0, 0, encode(ErrorMessage{status, text}));
    channel_->finish_sending();
    channel_->socket().drain(kLastWords);
  } catch (...) {
    // The connection is gone: the peer finds out by itself.
  }
}

void Link::look_for_peer_error() {
  channel_->socket().set_deadline(Clock::now() + kLastWords);
  while (const auto frame = read_if_any()) {
    if (frame->header.type == FrameType::Data) return;  // nothing more can be understood
  }
}

void Link::guard(const std::function<void()>& part) {
  try {
    part();
  } catch (const Error& error) {
    if (error.origin() == Origin::Local) {
      if (error.status() == ExitStatus::Network) {
        try {
          look_for_peer_error();
        } catch (const Error& last_word) {
          if (last_word.origin() == Origin::Peer) throw;  // the more telling one
        }
      }
      send_error(error.status(), error.what());
    }
    throw;
  } catch (const Interrupted&) {
    send_error(ExitStatus::Network, "interrupted");
    throw;
  } catch (const std::exception& error) {
    send_error(ExitStatus::Internal, error.what());
    throw;
  }
}

}  // namespace zx
