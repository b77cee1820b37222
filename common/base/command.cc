// SPDX-License-Identifier: MIT
#include "common/base/command.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <vector>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/stop.h"

namespace zx {
namespace {

constexpr const char* kShell = "/bin/sh";
constexpr int kCannotRun = 127;  // what a shell says of a command that it does not find

// A command has no business with the key of the session. Made before the fork: after it nothing
// may allocate.
std::vector<char*> environment_without_key() {
  constexpr std::string_view kKey = "ZXFER_KEY=";
  std::vector<char*> out;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with(kKey)) out.push_back(*variable);
  out.push_back(nullptr);
  return out;
}

// In the child of a process that has threads: only what signal-safety(7) allows.
[[noreturn]] void become_shell(char* const* argv, char* const* environment, int input, int output) {
  (void)setpgid(0, 0);
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) (void)sigaction(signal, &action, nullptr);
  action.sa_handler = SIG_IGN;
  (void)sigaction(SIGTTIN, &action, nullptr);
  (void)sigaction(SIGTTOU, &action, nullptr);  // a message to the terminal must not stop it either
  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  // Neither is 0 or 1: above_standard() has seen to that. dup2(2) drops close-on-exec.
  if (input >= 0 && dup2(input, STDIN_FILENO) < 0) _exit(kCannotRun);
  if (output >= 0 && dup2(output, STDOUT_FILENO) < 0) _exit(kCannotRun);
  execve(kShell, argv, environment);
  _exit(kCannotRun);
}

// Above the standard descriptors, of which some may be closed: those of the child are put there.
UniqueFd above_standard(UniqueFd fd) {
  if (!fd.valid() || fd.get() > STDERR_FILENO) return fd;
  return UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

[[noreturn]] void cannot_start(const char* what) {
  throw_errno(ExitStatus::CommandFailed, std::string("the command cannot be started: ") + what,
              errno);
}

}  // namespace

Command::Command(const std::string& command, Use use) : use_(use) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) cannot_start("pipe");
  UniqueFd reading = above_standard(UniqueFd(ends[0])), writing = above_standard(UniqueFd(ends[1]));
  if (!reading.valid() || !writing.valid()) cannot_start("pipe");
  UniqueFd null;
  if (use == Use::Producer) {
    null = above_standard(UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)));
    if (!null.valid()) cannot_start("open /dev/null");
  }
  const int input = use == Use::Producer ? null.get() : reading.get();
  const int output = use == Use::Producer ? writing.get() : -1;

  std::string shell_name = "sh", option = "-c", text = command;
  char* const argv[] = {shell_name.data(), option.data(), text.data(), nullptr};
  const std::vector<char*> environment = environment_without_key();
  // With every signal blocked no handler of ours runs in the child before it has the defaults.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pid_ = fork();
  if (pid_ == 0) become_shell(argv, environment.data(), input, output);
  const int error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  if (pid_ < 0) cannot_start("fork");
  set_doomed_group(pid_);
  // Here too, so that the group is there whoever comes first; it fails once the child has made it
  // and runs the shell.
  (void)setpgid(pid_, pid_);
  pipe_ = std::move(use == Use::Producer ? reading : writing);
  // Not by pidfd_open(3): the header of glibc 2.36 declares it for C only.
  process_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
}

Command::~Command() {
  end();
}

std::string Command::wait() {
  close_pipe();
  reap();
  return failure_;
}

std::string Command::failure() {
  if (running()) return "";
  reap();
  return failure_;
}

void Command::reap() {
  if (reaped_) return;
  siginfo_t how{};
  const auto id = static_cast<id_t>(pid_);
  if (retry_eintr([&] { return waitid(P_PID, id, &how, WEXITED | WNOWAIT); }) < 0)
    throw_errno(ExitStatus::Internal, "wait for the command", errno);
  // What a failed command leaves behind has no use. Before it is reaped: its number is its own.
  if (how.si_code != CLD_EXITED || how.si_status != 0) (void)kill(-pid_, SIGKILL);
  int status = 0;
  if (retry_eintr([&] { return waitpid(pid_, &status, 0); }) < 0)
    throw_errno(ExitStatus::Internal, "wait for the command", errno);
  take_status(status);
}

bool Command::running() const {
  if (reaped_) return false;
  siginfo_t how{};
  return waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOWAIT | WNOHANG) != 0 ||
         how.si_pid == 0;
}

void Command::take_status(int wait_status) {
  reaped_ = true;
  set_doomed_group(0);
  if (WIFSIGNALED(wait_status)) {
    const int signal = WTERMSIG(wait_status);
    const char* name = sigabbrev_np(signal);
    failure_ = "was killed by signal " + std::to_string(signal) +
               (name != nullptr ? std::string(" (SIG") + name + ")" : "");
  } else if (WEXITSTATUS(wait_status) != 0) {
    failure_ = "ended with status " + std::to_string(WEXITSTATUS(wait_status));
  }
}

void Command::end(std::chrono::milliseconds patience) noexcept {
  if (use_ == Use::Producer || reaped_) close_pipe();
  if (reaped_) return;
  // Until it is reaped, its number and its group's are not given to others.
  (void)kill(-pid_, SIGTERM);
  (void)kill(-pid_, SIGCONT);  // a stopped one would not notice
  if (process_.valid()) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    pollfd wait{process_.get(), POLLIN, 0};
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline - std::chrono::steady_clock::now());
      // EINTR: a stop signal hurries nobody here, the time is bounded.
      if (left.count() <= 0 || poll(&wait, 1, static_cast<int>(left.count())) >= 0) break;
      if (errno != EINTR) break;
    }
  }
  (void)kill(-pid_, SIGKILL);
  int status = 0;
  pid_t waited = 0;
  do waited = waitpid(pid_, &status, 0);
  while (waited < 0 && errno == EINTR);
  reaped_ = true;
  set_doomed_group(0);
  close_pipe();
  if (waited < 0) return;
  try {
    take_status(status);
  } catch (...) {  // no memory for the words: nobody asked for them
  }
}

}  // namespace zx
