// SPDX-License-Identifier: MIT
// Ending by a signal, and progress on a signal. No handler does any work: one thread waits for the
// signals (sigtimedwait(2)), sets a flag, makes a descriptor readable that base/wait.h looks at on
// every thread, and keeps interrupting the main thread's other system calls until that has noticed.
// So a signal that falls between a check of the flag and a blocking call is not lost, whatever the
// call is (but for an fsync of a slow disk).
#pragma once

#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace zx {

/// Thrown by check_stop(). Not an Error: the program must end by the signal itself (status 128+n)
/// after the destructors have removed what must not stay.
struct Interrupted {
  int signal;
};

/// Thrown by check_stop() on a thread whose work is no longer wanted. Not an Error: whoever wanted
/// it knows why.
struct Cancelled {};

/// While it lives, check_stop() on this thread throws Cancelled once the flag is true. One a
/// thread.
class CancelScope {
 public:
  explicit CancelScope(const std::atomic<bool>& flag);
  ~CancelScope();
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
};

/// While it lives, a stop signal is no reason to end anything on this thread: for last words, whose
/// time is bounded by other means. A second signal ends the program all the same.
class LastWordsScope {
 public:
  LastWordsScope();
  ~LastWordsScope();
  LastWordsScope(const LastWordsScope&) = delete;
  LastWordsScope& operator=(const LastWordsScope&) = delete;
};

/// Throws Interrupted when a stop signal has come: SIGINT, SIGTERM, SIGHUP, and the others that
/// would end the program by default; Cancelled, see above. Call on every EINTR and once a block.
void check_stop();
/// The same as a question, without Cancelled.
bool stop_requested();
/// Readable once a stop signal has come; -1 without a SignalWatch, or in a LastWordsScope.
int stop_fd();
/// Whether check_stop() may throw Cancelled on this thread.
bool in_cancel_scope();

/// Owns the signal thread. Create it in main() before any other thread: it blocks the signals for
/// all threads made later. A SIGHUP that was ignored when the program started (nohup) stays
/// ignored; SIGINT does not, because shells ignore it for everything that a script starts with '&'.
/// SIGPIPE and SIGXFSZ are ignored from here on: a closed pipe and a file over RLIMIT_FSIZE are
/// errors that can be reported. SIGCHLD is not: children are waited for.
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  /// on_usr1 runs on the signal thread at SIGUSR1, on_tick every `tick` (not at all when zero).
  /// Pass empty functions before what they refer to is destroyed: set_callbacks() waits for a
  /// callback that is under way.
  void set_callbacks(std::function<void()> on_usr1, std::function<void()> on_tick,
                     std::chrono::milliseconds tick);

 private:
  void run(std::stop_token token);

  sigset_t watched_{};
  pthread_t main_thread_;
  std::mutex mutex_;
  std::function<void()> on_usr1_, on_tick_;
  std::chrono::milliseconds tick_{0};
  std::jthread thread_;
};

/// A process group that does not outlive this process: die_by_signal() kills it first (SIGKILL), so
/// that it cannot take the end of its input for the end of the content. 0: none. One at a time;
/// any thread.
void set_doomed_group(pid_t group) noexcept;

/// Ends the process by the signal with its default action. Call last in main().
[[noreturn]] void die_by_signal(int signal);

}  // namespace zx
