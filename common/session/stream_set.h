// SPDX-License-Identifier: MIT
// StreamSet: the further connections of a session, beside the first one, each with one thread at
// this end that owns its link. One that is lost does not end the session; any other failure does,
// on the main thread. What goes over them is the business of serve(): zsend/stream_senders.h,
// zrecv/stream_receivers.h.
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/wake_fd.h"
#include "common/net/tcp_info.h"
#include "common/session/session.h"

namespace zx {

class StreamSet {
 public:
  /// One connection, to be served by its thread.
  struct Stream {
    uint32_t number;  // from 1 on
    Link& link;
    /// Before this side's SWITCH: a listener listens for the connection that follows this one.
    std::function<void()> prepare_next;
  };
  /// Serves one connection to its last frame. True when another one takes its place (SWITCH). A
  /// thrown Error{Network|Timeout} is the loss of this stream only.
  using Serve = std::function<bool(Stream&)>;
  /// After the last serve() of a stream, however it ended, on its thread. Must not throw.
  using Ended = std::function<void(uint32_t number)>;
  /// What to say about a lost one, from any thread.
  using Say = std::function<void(const std::string& text)>;

  /// `further`: connections beside the first. A listener listens for them from now on.
  StreamSet(Session& session, unsigned further, Say say);
  /// Ends all threads, whatever they do.
  ~StreamSet();
  StreamSet(const StreamSet&) = delete;
  StreamSet& operator=(const StreamSet&) = delete;

  /// Starts the threads: each makes its connection and serves it. Once.
  void start(Serve serve, Ended ended);
  bool started() const { return !threads_.empty(); }

  // Main thread

  /// Readable when something happened that the main thread should look at: wake() or a failure.
  int event_fd() const { return event_.fd(); }
  /// Takes the event. Throws the first failure of a thread.
  void check();
  /// Waits until all threads have ended by themselves, for a moment; then ends them. Blocking, up
  /// to some seconds. Throws as check().
  void finish();

  // Any thread

  void wake() { event_.set(); }
  /// Streams that have not ended.
  unsigned alive() const { return alive_; }
  /// Ends this one, and returns when it has ended. `self`: the stream of the caller, 0 for the main
  /// thread. Throws Error{Network} when the caller's own is ended meanwhile.
  void evict(uint32_t number, uint32_t self);

  /// Of the connections beside the first: how many there were, and how many of those that were
  /// meant to be are lost or never came.
  unsigned opened() const { return opened_; }
  unsigned lost() const { return lost_; }
  /// What TCP counted on those that have ended.
  TcpFigures tcp_figures() const;

 private:
  struct Slot {
    std::atomic<bool> cancelled{false}, ended{false};
    int fd = -1;  // of the present connection; guarded by mutex_
  };

  void run(uint32_t number);
  bool serve_one(uint32_t number, uint32_t generation);
  void cancel(Slot& slot);
  void cancel_all();
  void record_loss(uint32_t number, const std::string& why);
  void record_failure(std::exception_ptr failure);

  Session& session_;
  Say say_;
  Serve serve_;
  Ended ended_;
  WakeFd event_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::atomic<unsigned> alive_{0}, opened_{0}, lost_{0};
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  TcpFigures tcp_;  // guarded by mutex_
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace zx
