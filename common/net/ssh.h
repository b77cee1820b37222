// SPDX-License-Identifier: MIT
// ssh as a child process: what it is called with, its standard input and output as one socket, its
// messages, its end. Knows nothing of what is said over it (session/ssh_start.h).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/base/wake_fd.h"
#include "common/net/endpoint.h"

namespace zx {

struct SshOptions {
  std::string program = "ssh";         // -S; without a slash it is looked for in PATH
  std::vector<std::string> arguments;  // -4 -6 -P -i -F -J -o, as ssh takes them
};

/// ssh's argument vector for one constant remote command. Pure. What the user has configured holds,
/// but for what would put something else into the channel than that command: forwardings, a remote
/// command, a terminal, local commands. The same as scp(1) switches off.
std::vector<std::string> ssh_arguments(const SshOptions& options, const SshEndpoint& endpoint,
                                       const std::string& remote_command);

/// Starts a program with these as standard input, output and error, -1 for /dev/null. Signals are
/// as they were when this process was started. Throws Error{Network} when there is none.
pid_t start_program(const std::vector<std::string>& argv, int input, int output, int error);

class SshProcess {
 public:
  /// Gets each line of ssh's standard error, quoted and bounded, on another thread.
  using Say = std::function<void(const std::string& line)>;

  /// Throws Error{Network} when it cannot be started.
  SshProcess(const std::vector<std::string>& argv, Say say);
  /// Ends it, if it has not ended: by the end of its input, which must be closed by then, else
  /// after a moment by signals. Blocking, up to 3 s.
  ~SshProcess();
  SshProcess(const SshProcess&) = delete;
  SshProcess& operator=(const SshProcess&) = delete;

  /// This end of its standard input and output. Once.
  UniqueFd take_socket() { return std::move(socket_); }

  struct End {
    int status = 0;  // exit status; with a signal 128 + its number
    bool by_signal = false;
    std::string last_line;  // of its standard error, quoted
  };
  /// Waits for its end, up to `limit`; then it is killed. Once.
  End wait(std::chrono::milliseconds limit);

 private:
  void read_messages();
  bool ended_within(std::chrono::milliseconds limit);
  void reap();

  Say say_;
  UniqueFd socket_, messages_;
  pid_t pid_ = -1;
  int wait_status_ = 0;
  bool reaped_ = false;
  WakeFd stop_reading_;
  std::string last_line_;  // of the reading thread, until it has ended
  std::thread reader_;
};

}  // namespace zx
