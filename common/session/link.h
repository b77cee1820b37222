// SPDX-License-Identifier: MIT
// Link: frames over a channel. Messages are queued and leave together with what follows them, so a
// block costs one send for "digest of the last block, header of this one". ERROR and HEARTBEAT of
// the peer are dealt with here; unknown optional frames are skipped. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "common/net/channel.h"
#include "common/net/tcp_info.h"
#include "common/session/replay.h"
#include "common/wire/frame.h"
#include "common/wire/message.h"

namespace zx {

/// Between two HEARTBEATs of a side that has nothing to say.
constexpr std::chrono::milliseconds kHeartbeat{400};

struct Frame {
  FrameHeader header;
  Bytes body;  // unsealed message; empty for DATA, whose payload is still in the channel
};

/// How often the socket's queue was looked at, and at how many of these looks there was a backlog
/// in it: bytes that could not leave yet, or more that arrived than a reader who keeps up
/// leaves. A look counts by
/// the time since the one before: many come in the moment in which empty buffers are filled.
struct QueueLooks {
  uint32_t looks = 0, backlogs = 0;
};

class Link {
 public:
  explicit Link(std::unique_ptr<Channel> channel) : channel_(std::move(channel)) {}

  /// Queues a message.
  void queue(FrameType type, uint64_t entry, uint64_t offset, Bytes body);
  /// Queues the header of a DATA frame. Its payload must be the next thing that is sent, after
  /// take_queued().
  void queue_data_header(uint64_t entry, uint64_t offset, uint32_t length, uint16_t flags);
  /// Queues the payload of a DATA frame whose header was just queued: for small blocks in memory.
  void queue_payload(ByteView bytes);
  /// What is queued, to be sent by the caller before the payload of a DATA frame. From then until
  /// payload_done() the stream is inside that payload, and no message of ours can be sent.
  Bytes take_queued() { return std::exchange(queued_, {}); }
  void payload_done();
  size_t queued_bytes() const { return queued_.size(); }
  /// Sends what is queued, and how much was taken when the peer should know. Blocking.
  void flush();
  /// queue() and flush().
  void send(FrameType type, uint64_t entry, uint64_t offset, Bytes body);
  /// A sign of life, with the count of what was taken.
  void send_heartbeat();
  /// The same when nothing was sent for the interval: to be called while a block comes slowly.
  void heartbeat_if_due() {
    if (Clock::now() - spoken_ >= heartbeat_) send_heartbeat();
  }

  /// The same where something else than the peer is waited for; a loss is found later.
  void keep_alive() noexcept;

  /// The next frame that is not a HEARTBEAT. Blocking. Throws Error{Protocol} for a malformed one,
  /// Error{class of the peer's ERROR, Origin::Peer}, Error{Network|Timeout}.
  Frame read();
  /// The same, but nothing when no further frame has begun to arrive: it waits only for the rest of
  /// one that has.
  std::optional<Frame> read_if_any();
  /// Waits until there is something to read, or one of the descriptors is readable (-1: none), at
  /// most for `limit`; sends HEARTBEATs meanwhile. Throws Error{Timeout} when the peer was silent
  /// for longer than the channel's idle time.
  void wait(std::chrono::milliseconds limit, int other = -1, int another = -1);

  /// Runs work() on another thread, and HEARTBEATs meanwhile, so that the peer does not take a long
  /// sync for a dead connection. Rethrows what work() throws. When the connection is lost, work()
  /// that calls check_stop() ends by it, and what does not is waited for.
  void with_heartbeats(const std::function<void()>& work);
  /// The same when it takes long; else just work().
  void with_heartbeats_if(bool is_long, const std::function<void()>& work) {
    is_long ? with_heartbeats(work) : work();
  }

  /// Tells the peer why this side gives up, as far as that is still possible, and waits a moment
  /// for the peer to have read it. Never throws.
  void send_error(ExitStatus status, const std::string& text) noexcept;
  /// In the middle of a payload nothing else can be said.
  bool in_payload() const { return in_payload_; }
  /// After a failure: throws the peer's ERROR instead when one has arrived, else returns. A peer
  /// that says why and closes is otherwise only seen as a reset. The ACKs that had come before are
  /// for `acked`: what they say is so, and would be sent again without them.
  void look_for_peer_error(const std::function<void(const Frame&)>& acked = {});

  // The first connection of a session, whose messages survive it.

  /// From here on the counted messages (wire/frame.h) are counted, both ways, and kept.
  void count_messages() { replay_.emplace(); }
  /// Between two HEARTBEATs of a side that has nothing to say.
  void set_heartbeat(std::chrono::milliseconds interval) { heartbeat_ = interval; }
  /// Counted messages that were sent, and that the peer has not said it has taken.
  size_t uncounted() const { return replay_->size(); }
  /// Counted messages that were read.
  uint64_t taken() const { return taken_; }
  /// ACKs so far: of the receiver, sent; of the sender, taken.
  uint64_t acks() const { return sent_acks_.sent() + taken_acks_; }
  /// Goes on over another connection, whose peer has these counts: what is queued is dropped, and
  /// the counted messages and ACKs that the peer has not taken are queued again. Channel references
  /// end. Throws Error{Protocol} for impossible counts.
  void replace_channel(std::unique_ptr<Channel> channel, Role role, uint64_t peer_has_taken,
                       uint64_t peers_acks);
  /// Of the sender: ACKs come first on the present channel, of blocks that went over the ones
  /// before. Until all of them are taken it is not known what is to be sent again.
  bool awaits_retold_acks() const { return taken_acks_ < retold_up_to_; }
  /// Whether the ACK that was read last is one of them.
  bool was_retold() const { return taken_acks_ <= retold_up_to_; }
  /// The channel, out of a link that ends here.
  std::unique_ptr<Channel> take_channel() { return std::move(channel_); }

  /// The peer has ended its side of the present channel, in order, between two frames.
  bool ended() const { return ended_; }
  /// Payload bytes that went into the present channel, headers included: what its key has
  /// protected.
  uint64_t sent_bytes() const { return sent_bytes_; }
  /// All bytes of frames of the present channel, both ways.
  uint64_t channel_bytes() const { return sent_bytes_ + received_bytes_ - received_before_; }
  /// Bytes of frames that came, on all connections.
  uint64_t received_bytes() const { return received_bytes_; }
  /// What the kernel has counted on all connections so far, and the state of the present one.
  TcpFigures tcp_figures() const;
  /// Found at each block: the sender's when it has handed over the block, the receiver's when the
  /// next one begins.
  QueueLooks queue_looks() const;

  /// The present one: replace_channel() ends it.
  Channel& channel() { return *channel_; }
  const Channel& channel() const { return *channel_; }

 private:
  bool look_is_due() const;
  void note_look(bool backlog);
  void queue_heartbeat();
  // Nothing for a frame that needs no answer.
  std::optional<Frame> read_one();
  std::optional<Frame> receive_one();

  std::unique_ptr<Channel> channel_;
  TcpFigures earlier_figures_;
  uint32_t looks_ = 0;
  Clock::time_point last_look_{};
  Clock::duration looked_{}, backlogged_{};  // time before looks; of these, before a backlog
  uint64_t unseen_bytes_ = 0;                // payload since the last look
  uint64_t sent_bytes_ = 0, received_bytes_ = 0, received_before_ = 0;
  Bytes queued_;
  bool in_payload_ = false, ended_ = false;
  bool payload_comes_ = false;  // of a DATA frame that was read
  bool read_ahead_ = true;      // what comes is mostly short
  std::chrono::milliseconds heartbeat_ = kHeartbeat;
  Clock::time_point heard_ = Clock::now(), spoken_ = Clock::now();
  std::deque<Frame> early_;  // read while an ERROR was looked for
  // Once messages are counted.
  std::optional<Replay> replay_;
  uint64_t taken_ = 0, told_taken_ = 0;
  RecentAcks sent_acks_;
  uint64_t taken_acks_ = 0, retold_up_to_ = 0;
};

/// Throws Error{Protocol} when a message that has no fields has some all the same.
void require_empty(const Frame& frame);

/// Throws Error{Protocol}: the frame is known but not allowed now. `when` follows "peer sent TYPE
/// ".
[[noreturn]] void unexpected_frame(const FrameHeader& header, const char* when);

}  // namespace zx
