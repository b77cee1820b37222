// SPDX-License-Identifier: MIT
#include "common/base/stop.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/quiet_terminal.h"

namespace zx {
namespace {

std::atomic<int> stop_signal{0}, stop_event{-1};  // never closed: threads may wait to the end
thread_local const std::atomic<bool>* cancel_flag = nullptr;
thread_local bool last_words = false;

constexpr int kStopSignals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGXCPU, SIGALRM, SIGUSR2};
constexpr auto kIdle = std::chrono::milliseconds(500);
// Between two interruptions of the main thread: short against a person's patience, long against the
// cost of a signal.
constexpr auto kNudge = std::chrono::milliseconds(20);

std::atomic<pid_t> doomed_group{0};

const int nudge_signal = SIGRTMIN;     // to the main thread: EINTR
const int wake_signal = SIGRTMIN + 1;  // to the signal thread: blocked, so never lost

}  // namespace

bool stop_requested() {
  return stop_signal.load(std::memory_order_relaxed) != 0;
}

int stop_fd() {
  return last_words ? -1 : stop_event.load();
}

bool in_cancel_scope() {
  return cancel_flag != nullptr;
}

void check_stop() {
  if (last_words) return;
  const int signal = stop_signal.load(std::memory_order_relaxed);
  if (signal != 0) throw Interrupted{signal};
  if (cancel_flag != nullptr && cancel_flag->load(std::memory_order_relaxed)) throw Cancelled{};
}

LastWordsScope::LastWordsScope() {
  last_words = true;
}

LastWordsScope::~LastWordsScope() {
  last_words = false;
}

CancelScope::CancelScope(const std::atomic<bool>& flag) {
  cancel_flag = &flag;
}

CancelScope::~CancelScope() {
  cancel_flag = nullptr;
}

SignalWatch::SignalWatch() : main_thread_(pthread_self()) {
  if (stop_event < 0) stop_event = eventfd(0, EFD_CLOEXEC);
  if (stop_event < 0) throw_errno(ExitStatus::Internal, "eventfd", errno);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(SIGCHLD, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
  sigaction(SIGXFSZ, &action, nullptr);  // past RLIMIT_FSIZE a write then fails with EFBIG
  action.sa_handler = [](int) {};        // without SA_RESTART: its only effect is EINTR
  sigaction(nudge_signal, &action, nullptr);

  sigemptyset(&watched_);
  sigaddset(&watched_, SIGUSR1);
  sigaddset(&watched_, wake_signal);
  struct sigaction hangup {};
  sigaction(SIGHUP, nullptr, &hangup);
  for (int signal : kStopSignals)
    if (signal != SIGHUP || hangup.sa_handler != SIG_IGN) sigaddset(&watched_, signal);
  pthread_sigmask(SIG_BLOCK, &watched_, nullptr);
  thread_ = std::jthread([this](std::stop_token token) { run(token); });
}

SignalWatch::~SignalWatch() {
  thread_.request_stop();
  pthread_kill(thread_.native_handle(), wake_signal);
  thread_.join();
}

void SignalWatch::set_callbacks(std::function<void()> on_usr1, std::function<void()> on_tick,
                                std::chrono::milliseconds tick) {
  {
    const std::lock_guard lock(mutex_);
    on_usr1_ = std::move(on_usr1);
    on_tick_ = std::move(on_tick);
    tick_ = tick;
  }
  pthread_kill(thread_.native_handle(), wake_signal);  // so that a new tick starts now
}

void SignalWatch::run(std::stop_token token) {
  auto last_tick = std::chrono::steady_clock::now();
  while (!token.stop_requested()) {
    auto wait = kIdle;
    {
      const std::lock_guard lock(mutex_);
      if (on_tick_ && tick_.count() > 0) wait = tick_;
    }
    if (stop_signal.load() != 0) {
      pthread_kill(main_thread_, nudge_signal);
      wait = kNudge;
    }
    const timespec timeout{wait.count() / 1000, (wait.count() % 1000) * 1000000L};
    const int signal = sigtimedwait(&watched_, nullptr, &timeout);
    if (signal == SIGUSR1) {
      const std::lock_guard lock(mutex_);
      if (on_usr1_) on_usr1_();
    } else if (signal > 0 && signal != wake_signal) {
      // A second one means "now": the destructors that are running may be stuck in a slow disk.
      if (stop_signal.exchange(signal) != 0) die_by_signal(signal);
      (void)eventfd_write(stop_event, 1);
    }
    const auto now = std::chrono::steady_clock::now();
    const std::lock_guard lock(mutex_);
    if (on_tick_ && tick_.count() > 0 && now - last_tick >= tick_ && stop_signal.load() == 0) {
      last_tick = now;
      on_tick_();
    }
  }
}

void set_doomed_group(pid_t group) noexcept {
  doomed_group = group;
}

void die_by_signal(int signal) {
  restore_terminal();
  if (const pid_t group = doomed_group; group > 0) (void)kill(-group, SIGKILL);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  sigaction(signal, &action, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, signal);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  kill(getpid(), signal);
  _exit(128 + signal);  // not reached: none of these signals has a default that returns
}

}  // namespace zx
