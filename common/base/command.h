// SPDX-License-Identifier: MIT
// Command: a shell command at one end of a pipe whose other end is ours. Owns the pipe's end and
// the process. Knows no protocol and reads and writes nothing.
//
// The command has a process group of its own, so that all of it can be ended: the shell alone would
// leave the members of a pipeline behind. Ctrl-C therefore reaches this program only, which then
// ends the command. To the terminal the group is a background one: a command that asks for a
// password there would be stopped, silently and for good (SIGTTIN), so that signal is ignored and
// the read fails instead (EIO, see setpgid(2) and termios(3)). What needs the terminal belongs into
// a pipeline of the user's shell.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "common/base/unique_fd.h"

namespace zx {

class Command {
 public:
  enum class Use {
    Producer,  // we read its standard output; its standard input is /dev/null
    Consumer,  // we write its standard input; its standard output is ours
  };

  /// Starts `/bin/sh -c command`, with default signal dispositions, no signal blocked, and without
  /// ZXFER_KEY in its environment. Its standard error is ours. Throws Error{CommandFailed} when no
  /// process can be made; a shell that is missing shows in wait(), as status 127.
  Command(const std::string& command, Use use);
  /// As end().
  ~Command();
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;

  /// Our end of the pipe, blocking and close-on-exec; -1 after close_pipe().
  int fd() const { return pipe_.get(); }
  /// Process and process group; for messages and tests.
  pid_t pid() const { return pid_; }
  /// A consumer sees the end of its input, a producer that goes on writing gets SIGPIPE.
  void close_pipe() { (void)pipe_.close(); }

  /// Closes our end and waits, without limit, for the command to end. Empty when it ended with
  /// status 0, else "ended with status 3" or "was killed by signal 9 (SIGKILL)". Again: the same
  /// answer. Of one that failed the whole group is killed. A stop signal is noticed on the main
  /// thread (Interrupted).
  std::string wait();
  /// Whether it still runs. Does not block.
  bool running() const;
  /// When it has ended: the words of wait(), with our end as it is. Empty while it runs.
  std::string failure();
  /// Readable when it has ended; -1 where the kernel gives none.
  int process_fd() const { return process_.get(); }

  /// Ends it if it still runs: the pipe of a producer is closed first, that of a consumer last, so
  /// that it never takes a missing rest for the end of its input. SIGTERM to the group, SIGKILL to
  /// what is left of it when the shell has ended or after `patience`. Blocking, at most about that
  /// long. Nothing after wait().
  void end(std::chrono::milliseconds patience = std::chrono::milliseconds(2000)) noexcept;

 private:
  void reap();
  void take_status(int wait_status);

  const Use use_;
  UniqueFd pipe_, process_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  std::string failure_;
};

}  // namespace zx
