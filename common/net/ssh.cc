// SPDX-License-Identifier: MIT
#include "common/net/ssh.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// Who keeps on writing when ssh has ended is not read for ever.
constexpr size_t kRoundsAfterStop = 1000;
// Of its messages: a remote shell may write as much as it likes there.
constexpr size_t kMaxLines = 200, kMaxLineBytes = 1024;
constexpr milliseconds kOrderlyEnd{2000}, kAfterTerm{500};
constexpr milliseconds kSlice{100};

// Starting a program with descriptors, signal mask and signal actions in one call.
struct SpawnSetup {
  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
  SpawnSetup() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSetup() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSetup(const SpawnSetup&) = delete;
  SpawnSetup& operator=(const SpawnSetup&) = delete;

  void put(int fd, int as) {
    if (fd < 0)
      posix_spawn_file_actions_addopen(&files, as, "/dev/null", O_RDWR, 0);
    else
      posix_spawn_file_actions_adddup2(&files, fd, as);
  }
};

}  // namespace

std::vector<std::string> ssh_arguments(const SshOptions& options, const SshEndpoint& endpoint,
                                       const std::string& remote_command) {
  std::vector<std::string> argv{options.program,           "-x",
                                "-oPermitLocalCommand=no", "-oClearAllForwardings=yes",
                                "-oForwardAgent=no",       "-oRemoteCommand=none",
                                "-oRequestTTY=no"};
  argv.insert(argv.end(), options.arguments.begin(), options.arguments.end());
  if (endpoint.port) argv.insert(argv.end(), {"-p", std::to_string(*endpoint.port)});
  argv.insert(argv.end(), {"--", ssh_destination(endpoint)});
  if (!remote_command.empty()) argv.push_back(remote_command);
  return argv;
}

pid_t start_program(const std::vector<std::string>& argv, int input, int output, int error) {
  SpawnSetup setup;
  setup.put(input, STDIN_FILENO);
  setup.put(output, STDOUT_FILENO);
  setup.put(error, STDERR_FILENO);
  // Undo what SignalWatch has set for this process: ssh must get its signals, and die of a closed
  // pipe.
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  sigaddset(&defaults, SIGXFSZ);
  posix_spawnattr_setsigmask(&setup.attributes, &none);
  posix_spawnattr_setsigdefault(&setup.attributes, &defaults);
  posix_spawnattr_setflags(&setup.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = -1;
  const int failure =
      posix_spawnp(&pid, words[0], &setup.files, &setup.attributes, words.data(), environ);
  if (failure != 0) throw_errno(ExitStatus::Network, quote(argv[0]) + ": start", failure);
  return pid;
}

SshProcess::SshProcess(const std::vector<std::string>& argv, Say say) : say_(std::move(say)) {
  std::array<int, 2> pair{}, pipe{};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    throw_errno(ExitStatus::Internal, "socketpair", errno);
  socket_ = UniqueFd(pair[0]);
  const UniqueFd theirs(pair[1]);
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) throw_errno(ExitStatus::Internal, "pipe", errno);
  messages_ = UniqueFd(pipe[0]);
  const UniqueFd error(pipe[1]);
  pid_ = start_program(argv, theirs.get(), theirs.get(), error.get());
  reader_ = std::thread([this] { read_messages(); });
}

SshProcess::~SshProcess() {
  socket_ = UniqueFd();
  // A stop signal from a terminal has reached ssh too.
  if (!ended_within(stop_requested() ? milliseconds(0) : kOrderlyEnd)) {
    (void)kill(pid_, SIGTERM);
    if (!ended_within(kAfterTerm)) {
      (void)kill(pid_, SIGKILL);
      reap();
    }
  }
  stop_reading_.set();
  reader_.join();
}

SshProcess::End SshProcess::wait(milliseconds limit) {
  const auto deadline = Clock::now() + limit;
  while (
      !ended_within(std::min(kSlice, std::chrono::ceil<milliseconds>(deadline - Clock::now())))) {
    check_stop();
    if (Clock::now() < deadline) continue;
    (void)kill(pid_, SIGKILL);
    reap();
  }
  stop_reading_.set();
  if (reader_.joinable()) reader_.join();
  reader_ = std::thread([] {});  // the destructor joins
  End end;
  end.by_signal = WIFSIGNALED(wait_status_);
  end.status = end.by_signal ? 128 + WTERMSIG(wait_status_) : WEXITSTATUS(wait_status_);
  end.last_line = last_line_;
  return end;
}

bool SshProcess::ended_within(milliseconds limit) {
  if (reaped_) return true;
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  pollfd p{process.get(), POLLIN, 0};
  const auto deadline = Clock::now() + limit;
  // Interrupted waits go on: a stop signal must not leave a child behind.
  while (poll(&p, 1, static_cast<int>(std::max<int64_t>(limit.count(), 0))) < 0 && errno == EINTR)
    limit = std::chrono::ceil<milliseconds>(deadline - Clock::now());
  const pid_t ended = waitpid(pid_, &wait_status_, WNOHANG);
  reaped_ = ended == pid_ || (ended < 0 && errno == ECHILD);
  return reaped_;
}

void SshProcess::reap() {
  while (waitpid(pid_, &wait_status_, 0) < 0 && errno == EINTR) {
  }
  reaped_ = true;
}

// To its end, or until it is told to stop: with ControlPersist a process that stays behind holds
// the other end of the pipe.
void SshProcess::read_messages() {
  std::string line;
  size_t lines = 0, rounds_after_stop = 0;
  const auto finish_line = [&] {
    while (!line.empty() && (line.back() == '\r' || line.back() == '\n')) line.pop_back();
    if (!line.empty()) {
      last_line_ = escape(line, kMaxLineBytes);
      if (++lines <= kMaxLines) say_(last_line_);
      if (lines == kMaxLines + 1) say_("(further messages are not shown)");
    }
    line.clear();
  };
  (void)fcntl(messages_.get(), F_SETFL, O_NONBLOCK);
  std::array<char, 4096> buffer{};
  for (;;) {
    const ssize_t n = read(messages_.get(), buffer.data(), buffer.size());
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) break;
    for (ssize_t i = 0; i < n; ++i) {
      const char c = buffer[static_cast<size_t>(i)];
      if (c == '\n')
        finish_line();
      else if (line.size() <= kMaxLineBytes)
        line += c;
    }
    std::array<pollfd, 2> fds{{{messages_.get(), POLLIN, 0}, {stop_reading_.fd(), POLLIN, 0}}};
    (void)poll(fds.data(), fds.size(), n > 0 ? 0 : -1);
    if (fds[1].revents != 0 && (fds[0].revents == 0 || ++rounds_after_stop > kRoundsAfterStop))
      break;
  }
  finish_line();
}

}  // namespace zx
