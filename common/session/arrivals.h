// SPDX-License-Identifier: MIT
// Arrivals: who reaches a listener, during a whole session. A thread accepts; whoever speaks gets a
// thread of his own and a few seconds to prove who he is, so that nobody costs anybody else time:
// port scanners, health checks and wrong keys are a notice, never an end. First one peer is let in;
// then only connections of his session, and everybody else is told that this side is busy.
#pragma once

#include <condition_variable>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/wake_fd.h"
#include "common/session/handshake.h"
#include "common/session/link.h"

namespace zx {

class Arrivals {
 public:
  /// side.security: what the peer of the session has to prove.
  Arrivals(Listener listener, const Side& side);
  /// Ends all threads: a fraction of a second.
  ~Arrivals();

  uint16_t port() const { return listener_.port(); }

  /// The first one who proves himself; from then on others are turned away, until the next call.
  /// Nothing when nobody has by give_up, as soon as the descriptor `other` is readable (-1: none),
  /// or when somebody joins as stream 0, which turns others away too. Blocking, looks for a stop.
  /// Throws what is the fault of this side.
  std::optional<Handshaken> peer(Clock::time_point give_up, int other = -1);

  /// A connection of the session whose JOIN has been read, but not answered.
  struct Joiner {
    Handshaken handshaken;
    Join join;
  };
  /// Lets in who proves `security` and names this session, and a generation higher than the last
  /// one of its stream. `fence(stream, generation)` is called for each, on another thread, and not
  /// after refuse_joins().
  void admit(const Security& security, const SessionId& session,
             std::function<void(uint16_t stream, uint32_t generation)> fence);
  /// Its session is given up: until admit() nobody joins.
  void refuse_joins();
  /// The highest generation of this stream that has come; 0 when none has.
  uint32_t generation_of(uint16_t stream);
  /// Streams that may join: 0 to count - 1.
  void allow(uint16_t count);
  /// The newest one of this stream; nothing when none has come by give_up. Blocking, looks for a
  /// stop.
  std::optional<Joiner> take(uint16_t stream, Clock::time_point give_up);

 private:
  struct Visitor;

  void run();
  void start(Visitor& visitor);  // the last one of visitors_
  void receive(Visitor& visitor);
  void judge(Visitor& visitor);
  void take_joiner(Handshaken h);
  void tell(const std::string& text);
  void keep_fault();
  void reap();

  Listener listener_;
  const Side side_;

  std::mutex mutex_;  // for all up to last_note_
  std::condition_variable changed_;
  std::optional<Security> join_security_;  // once admit() was called
  bool closed_ = false;                    // no peer is wanted
  std::optional<Handshaken> peer_;
  std::exception_ptr fault_;
  SessionId session_{};
  uint16_t streams_ = 1;
  std::function<void(uint16_t, uint32_t)> fence_;
  std::map<uint16_t, uint32_t> generations_;
  std::map<uint16_t, Joiner> joiners_;
  Clock::time_point last_note_{};

  std::vector<std::unique_ptr<Visitor>> visitors_;  // of thread_
  std::atomic<bool> ending_{false};
  WakeFd wake_;
  std::thread thread_;  // last
};

/// Reads the JOIN of a connection with these prefaces. Throws Error{Auth} when it has others.
Join read_join(Link& link, const Prefaces& prefaces);

}  // namespace zx
