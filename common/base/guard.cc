// SPDX-License-Identifier: MIT
#include "common/base/guard.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <csignal>

#include "common/base/io.h"

namespace zx {
namespace {

// What the lifeline carries: the number of the group, which is above 0; or this.
constexpr pid_t kLetGo = -1;

// In the child of a process that has threads: only what signal-safety(7) allows.
[[noreturn]] void watch(int pipe, int lifeline) {
  (void)setsid();
  (void)prctl(PR_SET_NAME, "guard");
  // Of these the lower one may be where the other is to go.
  const int kept_pipe = dup(pipe), kept_lifeline = dup(lifeline);
  if (kept_pipe < 0 || kept_lifeline < 0) _exit(1);
  const auto low = static_cast<unsigned>(std::min(kept_pipe, kept_lifeline));
  const auto high = static_cast<unsigned>(std::max(kept_pipe, kept_lifeline));
  if (low > 0) (void)close_range(0, low - 1, 0);
  if (high - low > 1) (void)close_range(low + 1, high - 1, 0);
  (void)close_range(high + 1, UINT_MAX, 0);
  pid_t group = 0;
  for (pid_t told = 0;;) {
    const ssize_t n = read(kept_lifeline, &told, sizeof told);
    if (n == sizeof told && told == kLetGo) _exit(0);
    if (n == sizeof told)
      group = told;
    else if (n >= 0 || errno != EINTR)
      break;
  }
  // SIGKILL is delivered before a killed process sees anything more of its input.
  if (group > 1) (void)kill(-group, SIGKILL);
  _exit(0);
}

}  // namespace

Guard::Guard(int pipe, ExitStatus failure) {
  SocketPair lifeline;  // no pipe: SIGPIPE would be for whoever writes to a guard that is gone
  // Every signal stays blocked in the guard.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_ = fork();
  const int error = errno;
  if (pid_ == 0) {
    (void)close(lifeline.mine.get());
    watch(pipe, lifeline.theirs.get());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid_ < 0) throw_errno(failure, "start the guard of a command", error);
  lifeline_ = std::move(lifeline.mine);
}

void Guard::let_go() noexcept {
  if (pid_ < 0) return;
  (void)retry_regardless(
      [&] { return send(lifeline_.get(), &kLetGo, sizeof kLetGo, MSG_NOSIGNAL); });
  reap();
}

void Guard::dismiss() noexcept {
  if (pid_ < 0) return;
  (void)kill(pid_, SIGKILL);
  reap();
}

void Guard::reap() noexcept {
  (void)retry_regardless([&] { return waitpid(pid_, nullptr, 0); });
  pid_ = -1;
  (void)lifeline_.close();
}

}  // namespace zx
