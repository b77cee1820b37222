// SPDX-License-Identifier: MIT
// FurtherConnections: the connections of a session beside its first one, each with one thread at
// this end. One that is lost is made again until the session ends, and never ends it; any other
// failure does, on the main thread. What goes over them is the business of serve().
#pragma once

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/wake_fd.h"
#include "common/net/tcp_info.h"
#include "common/session/session.h"

namespace zx {

class FurtherConnections {
 public:
  /// Serves one connection, of number 1 and on. True when it has served up to its BYE; false when
  /// another one shall take its place (a worn key). An Error that is_lost_connection() is the loss
  /// of this one only.
  using Serve = std::function<bool(uint16_t number, Link& link)>;

  /// `further`: connections beside the first. They can be made from now on.
  FurtherConnections(Session& session, unsigned further, Notices& notices);
  /// Ends all threads, whatever they do.
  ~FurtherConnections();

  /// Starts the threads: each makes its connection and serves it. Once.
  void start(Serve serve);
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
  /// Connections that stand now.
  unsigned alive() const { return alive_; }

  /// How many there were, counting each number once, and how many connections were lost.
  unsigned opened() const { return opened_; }
  unsigned lost() const { return lost_; }
  /// What TCP counted on those that have ended.
  TcpFigures tcp_figures() const;

 private:
  void run(uint16_t number);
  bool serve_one(uint16_t number, bool* stood, bool* opened);
  void end_all();

  Session& session_;
  Notices& notices_;
  const unsigned further_;
  Serve serve_;
  WakeFd event_;
  std::atomic<unsigned> alive_{0}, opened_{0}, lost_{0};
  std::atomic<bool> ending_{false};
  mutable std::mutex mutex_;
  TcpFigures tcp_;  // guarded by mutex_
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace zx
