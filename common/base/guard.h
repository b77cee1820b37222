// SPDX-License-Identifier: MIT
// Guard: a process between a command and the death of this one. The kernel closes what a killed
// process had open before anybody else can act (exit_files() comes before the signals that announce
// its death), and the command would take that for the end of its input. So the guard holds that
// pipe open too; when this process ends without having let go it first kills the command's process
// group, and then lets the pipe go.
//
// It has a session of its own, blocks every signal and has nothing else open. What kills both at
// once (the OOM killer of a cgroup, the end of the machine) it cannot help.
#pragma once

#include <sys/types.h>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace zx {

class Guard {
 public:
  /// `pipe`: the end that the command's input is written into. Before the command is there: a
  /// moment between the two would be one without a guard. Throws Error{failure}.
  Guard(int pipe, ExitStatus failure);
  ~Guard() { dismiss(); }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

  /// A socket: the command's process sends the number of its group there, a pid_t, before it runs
  /// anything.
  int announcement() const { return lifeline_.get(); }
  /// The end of the input is a true one: the guard lets go of the pipe, and is gone when this
  /// returns. Blocking, for a moment.
  void let_go() noexcept;
  /// The command has been ended: the guard just goes.
  void dismiss() noexcept;

 private:
  void reap() noexcept;

  pid_t pid_ = -1;
  UniqueFd lifeline_;
};

}  // namespace zx
