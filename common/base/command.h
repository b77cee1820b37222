// SPDX-License-Identifier: MIT
// Command: a shell command at one end of a pipe whose other end is ours. Owns the pipe's end and
// the process. Knows no protocol and reads and writes nothing.
//
// The command has a process group of its own, so that all of it can be ended: the shell alone would
// leave the members of a pipeline behind. Ctrl-C therefore reaches this program only, which then
// ends the command. A command that asks for a password at the terminal cannot read it (EIO, see
// setpgid(2) and termios(3)): what needs the terminal belongs into a pipeline of the user's shell.
//
// A consumer never takes our death for the end of its input, not even by SIGKILL (guard.h).
#pragma once

#include "common/base/child.h"
#include "common/base/guard.h"

namespace zx {

class Command {
 public:
  enum class Use {
    Producer,  // we read its standard output; its standard input is /dev/null
    Consumer,  // we write its standard input; its standard output is ours
  };

  /// Starts `bash -o pipefail -c command`, so that no part of a pipeline fails unnoticed; `sh -c`
  /// where there is no bash. Without the variable `hidden` in its environment. Its standard error
  /// is ours. Throws Error{CommandFailed} when no process can be made.
  Command(const std::string& command, Use use, const std::string& hidden);
  /// What the operator should know of it before it is started; "" for nothing.
  static std::string remark(const std::string& command);
  /// As end().
  ~Command() { end(); }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Our end of the pipe, blocking and close-on-exec; -1 after close_pipe().
  int fd() const { return pipe_.get(); }
  /// Process and process group; for messages and tests.
  pid_t pid() const { return child_->pid(); }
  /// A consumer sees the end of its input, a producer that goes on writing gets SIGPIPE.
  void close_pipe();

  /// Closes our end and waits, without limit, for the command to end. Empty when it ended with
  /// status 0, else the words of Child::End. Further calls return the same answer. If the command
  /// failed, its process group is killed. Notices a stop signal.
  std::string wait();
  /// Whether it still runs. Does not block.
  bool running() { return !child_->wait(Clock::now()); }
  /// When it has ended: the words of wait(), with our end as it is. Empty while it runs.
  std::string failure();
  /// Readable when it has ended.
  int process_fd() const { return child_->fd(); }

  /// Ends it if it still runs: the pipe of a producer is closed first, that of a consumer last, so
  /// that it never takes a missing rest for the end of its input. SIGTERM to the group, SIGKILL to
  /// what is left of it when the shell has ended or after `patience`. Blocking, at most about that
  /// long. Nothing after wait().
  void end(std::chrono::milliseconds patience = std::chrono::milliseconds(2000)) noexcept;

 private:
  const Use use_;
  UniqueFd pipe_;
  std::optional<Guard> guard_;  // of a consumer, until it has seen the end of its input
  std::optional<Child> child_;
};

}  // namespace zx
