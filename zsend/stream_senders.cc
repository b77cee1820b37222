// SPDX-License-Identifier: MIT
#include "zsend/stream_senders.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/stop.h"
#include "zsend/resend.h"

namespace zx {
namespace {

constexpr std::chrono::milliseconds kHeartbeat{400};

}  // namespace

// One connection, on its own thread.
class StreamSenders::Worker {
 public:
  Worker(StreamSenders& owner, StreamSet::Stream& stream)
      : owner_(owner),
        stream_(stream),
        link_(stream.link),
        engines_(link_.channel(), owner.engines_),
        heard_(Clock::now()) {}

  // Whatever the receiver has not acknowledged is for others to send.
  ~Worker() {
    std::vector<QueuedBlock> rest;
    for (DeliveredBlock& sent : unacknowledged_) rest.push_back(std::move(sent.block));
    if (!rest.empty()) owner_.queue_.give_back(std::move(rest));
  }

  // True when the key is worn.
  bool serve() {
    for (;;) {
      while (link_.channel().readable_now()) {
        heard_ = Clock::now();  // a heartbeat is a sign of life too
        if (const auto frame = link_.read_if_any()) handle(*frame);
      }
      const bool worn = link_.sent_bytes() >= owner_.session_.key_limit_bytes();
      const bool closed = owner_.queue_.closed();
      if (unacknowledged_.empty() && worn) return leave(FrameType::Switch);
      const bool room = !worn && unacknowledged_.size() < kMaxUnacknowledged;
      if (room) {
        if (auto block = owner_.queue_.take()) {
          send(std::move(*block));
          continue;
        }
        if (closed && unacknowledged_.empty()) return leave(FrameType::Bye);
      }
      wait(room && !closed);
    }
  }

 private:
  void send(QueuedBlock block) {
    if (unacknowledged_.empty()) heard_ = Clock::now();
    // Before the first byte: if the connection is lost in the middle, the block goes back.
    DeliveredBlock& d = unacknowledged_.emplace_back(DeliveredBlock{std::move(block), {}, 0});
    const QueuedBlock& b = d.block;
    link_.queue_data_header(b.entry, b.offset, b.length, attempt_flags(b.attempt));
    d.sent = engines_.pick(b.facts).send(*b.file, b.offset, b.length, link_.take_queued(), nullptr,
                                         [&](uint64_t n) { owner_.console_.add_bytes(n); });
    link_.payload_done();
    link_.send(FrameType::DataDigest, b.entry, b.offset,
               encode(BlockDigest{d.sent.length, d.sent.digest}));
  }

  void wait(bool for_blocks) {
    const int blocks = for_blocks ? owner_.queue_.event_fd() : -1;
    if (link_.channel().wait_readable_or(blocks, kHeartbeat)) return;
    const Socket& socket = link_.channel().socket();
    if (!unacknowledged_.empty() && Clock::now() - heard_ > socket.idle_timeout())
      socket.fail("receive", EAGAIN);
    link_.send(FrameType::Heartbeat, 0, 0, {});
  }

  void handle(const Frame& frame) {
    if (frame.header.type != FrameType::Ack && frame.header.type != FrameType::Retry)
      unexpected_frame(frame.header, "on a further connection");
    const auto found = std::ranges::find_if(unacknowledged_, [&](const DeliveredBlock& d) {
      return d.block.entry == frame.header.entry && d.block.offset == frame.header.offset;
    });
    if (found == unacknowledged_.end())
      throw Error(ExitStatus::Protocol, "peer speaks of a block that was not sent");
    if (frame.header.type == FrameType::Retry) return resend(*found, decode_retry(frame.body));
    {
      const std::lock_guard lock(owner_.mutex_);
      owner_.delivered_.push_back(std::move(*found));
    }
    unacknowledged_.erase(found);
    owner_.streams_.wake();
  }

  void resend(DeliveredBlock& d, uint32_t length) {
    if (d.sent.length != length)
      throw Error(ExitStatus::Protocol, "peer asked again for a block that was not sent");
    count_retry(&d.resent);
    owner_.console_.detail(quote(d.block.file->path()) + ": the block at " +
                           std::to_string(d.block.offset) +
                           " did not arrive as it was read; sending it again");
    d.sent = send_again(link_, *d.block.file, d.block.entry, d.block.offset, length);
    link_.flush();
  }

  bool leave(FrameType last) {
    if (last == FrameType::Bye) {
      link_.send(last, 0, 0, encode_bye(ExitStatus::Ok));
      return false;
    }
    stream_.prepare_next();
    link_.send(last, 0, 0, {});
    const Frame frame = link_.read();
    if (frame.header.type != last) unexpected_frame(frame.header, "instead of SWITCH");
    return true;
  }

  StreamSenders& owner_;
  StreamSet::Stream& stream_;
  Link& link_;
  SendEngines engines_;
  std::deque<DeliveredBlock> unacknowledged_;
  Clock::time_point heard_;
};

StreamSenders::StreamSenders(Session& session, uint16_t count, const EngineOptions& engines,
                             Console& console)
    : session_(session),
      engines_(engines),
      console_(console),
      queue_(count - 1U),
      streams_(session, count - 1U, [&](const std::string& text) { console_.detail(text); }) {}

StreamSenders::~StreamSenders() = default;

void StreamSenders::start() {
  streams_.start([this](StreamSet::Stream& stream) { return Worker(*this, stream).serve(); },
                 [](uint32_t) {});
}

bool StreamSenders::offer(QueuedBlock block) {
  return started() && streams_.alive() > 0 && queue_.offer(std::move(block));
}

std::vector<DeliveredBlock> StreamSenders::delivered() {
  streams_.check();
  const std::lock_guard lock(mutex_);
  return std::exchange(delivered_, {});
}

void StreamSenders::finish() {
  queue_.close();
  streams_.finish();
}

}  // namespace zx
