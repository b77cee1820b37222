// SPDX-License-Identifier: MIT
// ssh as a child process: what it is called with, its standard input and output as one socket, its
// messages, its end; and where it goes. Knows nothing of what is said over it
// (session/ssh_start.h).
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "common/base/child.h"
#include "common/base/wake_fd.h"
#include "common/net/tcp.h"

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

/// The numeric addresses of the host that an endpoint means, after the aliases of ssh's
/// configuration (`ssh -G`); none when they are not known. Found beside the start of ssh itself,
/// which takes longer, on a thread of its own that nobody waits for at the end: a name server may
/// be slow.
std::future<std::vector<std::string>> find_ssh_host(const SshOptions& options,
                                                    const SshEndpoint& endpoint, Family family);

class SshProcess {
 public:
  /// Gets each line of ssh's standard error, quoted and bounded, on another thread.
  using Say = std::function<void(const std::string& line)>;

  /// Throws Error{Network} when it cannot be started.
  SshProcess(const std::vector<std::string>& argv, Say say);
  /// Ends it, if it has not ended: by the end of its input, which must be closed by then, else
  /// after a moment by signals. Blocking, up to 3 s.
  ~SshProcess();

  /// This end of its standard input and output. Once.
  UniqueFd take_socket() { return std::move(socket_); }

  struct End {
    Child::End how;
    std::string last_line;  // of its standard error that tells something, quoted
  };
  /// Waits for its end, up to `limit`; then it is killed.
  End wait(std::chrono::milliseconds limit);

 private:
  void read_messages();
  bool tells_something(std::string_view line) const;

  Say say_;
  const std::string command_;
  UniqueFd socket_, messages_;
  std::optional<Child> child_;
  WakeFd stop_reading_;
  std::string last_line_;  // of the reading thread, until it has ended
  std::thread reader_;
};

}  // namespace zx
