// SPDX-License-Identifier: MIT
#include "common/base/child.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

using std::chrono::milliseconds;

// How a child has ended cannot be had: not well, as far as anybody knows.
constexpr int kUnknown = 255;

rlimit limit_of(__rlimit_resource_t resource) {
  rlimit limit{};
  (void)getrlimit(resource, &limit);
  return limit;
}
// Taken before main() changes them (ui/program.cc).
const rlimit files_at_start = limit_of(RLIMIT_NOFILE), core_at_start = limit_of(RLIMIT_CORE);

// Made before the fork: after it nothing may allocate.
std::vector<char*> environment_without(const std::string& name) {
  std::vector<char*> out;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable)
    if (!std::string_view(*variable).starts_with(name + "=")) out.push_back(*variable);
  out.push_back(nullptr);
  return out;
}

// In the child of a process that has threads: only what signal-safety(7) allows. Returns when it
// fails, with errno.
void become(const ChildSetup& setup, char* const* argv, char* const* environment, pid_t parent) {
  if (setup.own_group) (void)setpgid(0, 0);
  if (setup.group_told >= 0) {
    const pid_t group = getpid();
    (void)send(setup.group_told, &group, sizeof group, MSG_NOSIGNAL);
  }
  if (setup.dies_with_thread) (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return;  // it has ended before that
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal)
    if (setup.own_group || signal == SIGPIPE || signal == SIGXFSZ)
      (void)sigaction(signal, &action, nullptr);
  action.sa_handler = SIG_IGN;
  if (setup.own_group) (void)sigaction(SIGTTIN, &action, nullptr);
  if (setup.own_group) (void)sigaction(SIGTTOU, &action, nullptr);  // a message must not stop it
  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, nullptr);
  (void)setrlimit(RLIMIT_NOFILE, &files_at_start);
  (void)setrlimit(RLIMIT_CORE, &core_at_start);

  // Above the standard descriptors first: one of them may be given for another.
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  std::array<int, 3> standard{setup.input, setup.output, setup.error};
  for (int& fd : standard)
    if ((fd = fcntl(fd < 0 ? null : fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) < 0) return;
  for (int i = 0; i < 3; ++i)
    if (dup2(standard[static_cast<size_t>(i)], i) < 0) return;  // drops close-on-exec
  execvpe(argv[0], argv, environment);
}

}  // namespace

std::string Child::End::text() const {
  if (signal == 0) return "ended with status " + std::to_string(status);
  const char* name = sigabbrev_np(signal);  // null for real-time signals
  return "was killed by signal " + std::to_string(signal) +
         (name != nullptr ? std::string(" (SIG") + name + ")" : "");
}

Child::Child(const ChildSetup& setup) : own_group_(setup.own_group) {
  std::vector<char*> argv;
  for (const std::string& word : setup.argv) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const std::vector<char*> environment = environment_without(setup.hidden);
  Pipe failure;  // ends without a word when the program runs
  // With every signal blocked no handler of ours runs in the child before it has the defaults.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = getpid();
  pid_ = fork();
  int error = errno;
  if (pid_ == 0) {
    become(setup, argv.data(), environment.data(), parent);
    error = errno;
    (void)!write(failure.writing.get(), &error, sizeof error);
    _exit(127);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  const auto fail = [&] { throw_errno(setup.failure, quote(setup.argv[0]) + ": start", error); };
  if (pid_ < 0) fail();
  if (own_group_) {
    set_doomed_group(pid_);
    // Here too, so that the group is there whoever comes first; it fails once the program runs.
    (void)setpgid(pid_, pid_);
  }
  // Not by pidfd_open(3): the header of glibc 2.36 declares it for C only.
  process_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  error = process_.valid() ? 0 : errno;
  failure.writing = UniqueFd();
  if (error == 0) {
    int told = 0;
    const auto got =
        retry_regardless([&] { return read(failure.reading.get(), &told, sizeof told); });
    error = got < 0 ? errno : told;
  }
  if (error == 0) return;
  end(milliseconds(0));
  fail();
}

std::optional<Child::End> Child::wait(Clock::time_point deadline) {
  if (!end_ && wait_any({{fd()}}, deadline)) reap();
  return end_;
}

void Child::signal(int number) const {
  (void)kill(own_group_ ? -pid_ : pid_, number);
}

void Child::end(milliseconds patience, milliseconds grace) noexcept {
  if (end_) return;
  if (grace.count() == 0 || !wait_regardless({{fd()}}, Clock::now() + grace)) {
    signal(SIGTERM);
    signal(SIGCONT);  // a stopped one would not notice
    (void)wait_regardless({{fd()}}, Clock::now() + patience);
  }
  signal(SIGKILL);
  reap();
}

void Child::reap() {
  siginfo_t how{};
  End end;
  if (retry_regardless(
          [&] { return waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOWAIT); }) < 0)
    end.status = kUnknown;
  else
    (how.si_code == CLD_EXITED ? end.status : end.signal) = how.si_status;
  // Before it is reaped: until then its number, and its group's, are not given to others.
  if (!end.good() && own_group_) signal(SIGKILL);
  (void)retry_regardless([&] { return waitpid(pid_, nullptr, 0); });
  end_ = end;
  if (own_group_) set_doomed_group(0);
}

}  // namespace zx
