// SPDX-License-Identifier: MIT
// Child: a process started from here, the one way to start, to await and to end one. Its signals
// are unblocked, what this program ignores is not ignored, and the soft limits on descriptors and
// core files are those this program was started with.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/base/wait.h"

namespace zx {

struct ChildSetup {
  std::vector<std::string> argv{};          // a program without a slash is looked for in PATH
  int input = -1, output = -1, error = -1;  // its standard descriptors; -1: /dev/null
  /// A process group that is ended as a whole, and at the latest with this process. To a terminal
  /// it is a background one: a read there fails instead of stopping it silently (SIGTTIN ignored).
  /// All other signals have their default, also those that were ignored when this program started.
  bool own_group = false;
  int group_told = -1;  // with own_group: a socket that its number, a pid_t, goes to at first
  bool dies_with_thread = false;              // killed when the thread that has started it ends
  std::string hidden{};                       // a variable that its environment does not have
  ExitStatus failure = ExitStatus::Internal;  // of the Error when it cannot be started
};

class Child {
 public:
  struct End {
    int status = 0, signal = 0;
    bool good() const { return status == 0 && signal == 0; }
    /// "ended with status 3" or "was killed by signal 9 (SIGKILL)".
    std::string text() const;
  };

  /// Throws Error{setup.failure}, also when the program is not there.
  explicit Child(const ChildSetup& setup);
  ~Child() { end(std::chrono::milliseconds(0)); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  /// Readable when it has ended.
  int fd() const { return process_.get(); }
  /// Waits for its end; nothing at the deadline. What a failed one leaves of its group is killed.
  /// Notices a stop signal. Further calls return the same.
  std::optional<End> wait(Clock::time_point deadline = Clock::time_point::max());
  /// Ends it if it still runs: by itself within `grace`, by SIGTERM within `patience`, then by
  /// SIGKILL, which also what is left of its group gets. No signal shortens that.
  void end(std::chrono::milliseconds patience,
           std::chrono::milliseconds grace = std::chrono::milliseconds(0)) noexcept;

 private:
  void signal(int number) const;
  void reap();

  const bool own_group_;
  pid_t pid_ = -1;
  UniqueFd process_;
  std::optional<End> end_;  // when it is reaped: its number may be another's then
};

}  // namespace zx
