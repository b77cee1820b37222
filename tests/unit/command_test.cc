// SPDX-License-Identifier: MIT
#include "common/base/command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "common/base/io.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

using Use = Command::Use;

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (;;) {
    const ssize_t n = retry_eintr([&] { return read(fd, buffer, sizeof buffer); });
    REQUIRE(n >= 0);
    if (n == 0) return out;
    out.append(buffer, static_cast<size_t>(n));
  }
}

// A line of /proc/PID/status.
std::string status_line(pid_t pid, const std::string& name) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with(name + ":")) return line.substr(name.size() + 1);
  return "";
}

// Until it is gone, or only its parent's to reap: the sandbox of a test may have no init that does.
bool ended(pid_t pid) {
  for (int i = 0; i < 500; ++i) {
    const std::string state = status_line(pid, "State");
    if (state.empty() || state.find('Z') != std::string::npos) return true;
    usleep(10'000);
  }
  return false;
}

TEST_CASE("Command: a producer's output is read up to its end, and a good end is no words") {
  Command command("printf 'a b\\n'; printf c", Use::Producer, "");
  CHECK(read_all(command.fd()) == "a b\nc");
  CHECK(command.wait().empty());
  CHECK(command.wait().empty());
  CHECK(command.fd() == -1);
}

TEST_CASE("Command: a consumer gets what is written, and its end by closing") {
  Command command("test \"$(cat)\" = 'some text'", Use::Consumer, "");
  REQUIRE(write(command.fd(), "some text", 9) == 9);
  CHECK(command.wait().empty());

  Command other("test \"$(cat)\" = 'some text'", Use::Consumer, "");
  REQUIRE(write(other.fd(), "some test", 9) == 9);
  CHECK(other.wait() == "ended with status 1");
}

TEST_CASE("Command: how it failed is said in words") {
  CHECK(Command("exit 3", Use::Producer, "").wait() == "ended with status 3");
  CHECK(Command("kill -9 $$", Use::Producer, "").wait() == "was killed by signal 9 (SIGKILL)");
  CHECK(Command("kill -TERM $$", Use::Consumer, "").wait() == "was killed by signal 15 (SIGTERM)");
  CHECK(Command("/no/such/program 2> /dev/null", Use::Producer, "").wait() ==
        "ended with status 127");
}

TEST_CASE("Command: no part of a pipeline fails unnoticed") {
  CHECK(Command("false | cat", Use::Producer, "").wait() == "ended with status 1");
  CHECK(Command("sh -c 'cat >&2; exit 3' | cat", Use::Consumer, "").wait() ==
        "ended with status 3");
  CHECK(Command("set +o pipefail; false | cat", Use::Producer, "").wait().empty());
  CHECK(Command("true | cat", Use::Producer, "").wait().empty());
  CHECK(Command::remark("false | cat").empty());  // bash is here
}

TEST_CASE("Command: whether it runs is told without waiting, and its end wakes who polls") {
  Command command("exec >&-; read line < /dev/null; exit 3", Use::Producer, "");
  CHECK(read_all(command.fd()).empty());
  pollfd end{command.process_fd(), POLLIN, 0};
  REQUIRE(poll(&end, 1, 20'000) == 1);
  CHECK_FALSE(command.running());
  CHECK_FALSE(command.running());
  CHECK(command.wait() == "ended with status 3");

  Command waiting("exec cat", Use::Consumer, "");
  CHECK(waiting.running());
  CHECK(waiting.wait().empty());
  CHECK_FALSE(waiting.running());
}

TEST_CASE("Command: a producer has nothing to read") {
  Command command("cat; echo end", Use::Producer, "");
  CHECK(read_all(command.fd()) == "end\n");
  CHECK(command.wait().empty());
}

TEST_CASE("Command: signals are as by default, whatever this process has blocked or ignored") {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  sigset_t blocked, mask;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &mask);
  Command command("exec grep -E '^Sig(Blk|Ign):' /proc/self/status", Use::Producer, "");
  const std::string seen = read_all(command.fd());
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  sigaction(SIGPIPE, &before, nullptr);
  CHECK(command.wait().empty());
  // SIGTTIN is 21, SIGTTOU 22: the terminal must not stop it.
  CHECK(seen == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000300000\n");
}

TEST_CASE("Command: a producer that writes on after our end is closed gets SIGPIPE") {
  Command command("exec yes", Use::Producer, "");
  char byte = 0;
  REQUIRE(read(command.fd(), &byte, 1) == 1);
  CHECK(command.wait() == "was killed by signal 13 (SIGPIPE)");
}

// What /proc calls the file behind a descriptor of this process.
std::string file_behind(int fd) {
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd)).string();
}

TEST_CASE("Command: a pipe's ends are in no other command, nor ours in its own") {
  Command first("cat", Use::Consumer, "");
  CHECK(fcntl(first.fd(), F_GETFD) == FD_CLOEXEC);
  Command second("exec ls -l /proc/self/fd", Use::Producer, "");
  const std::string own = file_behind(second.fd()), other = file_behind(first.fd());
  const std::string seen = read_all(second.fd());
  CHECK(second.wait().empty());
  CHECK(seen.find(other) == std::string::npos);
  const size_t at = seen.find(own);
  REQUIRE(at != std::string::npos);
  const size_t line = seen.rfind('\n', at) + 1;
  CHECK(seen.substr(line, at - line).find(" 1 -> ") != std::string::npos);
  CHECK(seen.find(own, at + 1) == std::string::npos);
  CHECK(first.wait().empty());
}

TEST_CASE("Command: what is hidden is not in its environment, everything else is") {
  setenv("ZXFER_KEY", "zk1_secret", 1);
  setenv("ZX_COMMAND_TEST", "here", 1);
  Command command("env; tr '\\0' '\\n' < /proc/$$/environ", Use::Producer, "ZXFER_KEY");
  const std::string seen = read_all(command.fd());
  unsetenv("ZXFER_KEY");
  unsetenv("ZX_COMMAND_TEST");
  CHECK(seen.find("zk1_secret") == std::string::npos);
  CHECK(seen.find("ZX_COMMAND_TEST=here") != std::string::npos);
}

TEST_CASE("Command: destroyed, it ends with all of its group") {
  pid_t shell = 0, member = 0;
  {
    Command command("sleep 1000 & echo $!; wait", Use::Producer, "");
    shell = command.pid();
    char text[32] = {};
    REQUIRE(read(command.fd(), text, sizeof text - 1) > 0);
    member = atoi(text);
    CHECK(getpgid(member) == shell);
  }
  CHECK(kill(shell, 0) != 0);  // reaped
  CHECK(errno == ESRCH);
  CHECK(ended(member));
}

TEST_CASE("Command: a consumer never takes the death of this process for the end of its input") {
  const TempDir dir;
  const std::string half = dir.path() + "/half", whole = dir.path() + "/whole";
  Pipe told;
  const pid_t victim = fork();
  REQUIRE(victim >= 0);
  if (victim == 0) {
    Command command("cat >" + half + "; mv " + half + " " + whole, Use::Consumer, "");
    const pid_t pid = command.pid();
    (void)!write(command.fd(), "half", 4);
    (void)!write(told.writing.get(), &pid, sizeof pid);
    for (;;) pause();
  }
  pid_t shell = 0;
  REQUIRE(read(told.reading.get(), &shell, sizeof shell) == sizeof shell);
  kill(victim, SIGKILL);
  REQUIRE(waitpid(victim, nullptr, 0) == victim);
  CHECK(ended(shell));
  CHECK(!std::filesystem::exists(whole));
}

TEST_CASE("Command: without its guard a consumer still gets all, and its end") {
  const TempDir dir;
  const std::string seen = dir.path() + "/seen";
  Command command("cat >" + seen, Use::Consumer, "");
  const std::string children =
      "/proc/self/task/" + std::to_string(getpid()) + "/children";  // the guard is the first
  pid_t guard = 0;
  std::ifstream(children) >> guard;
  for (int i = 0; i < 500 && status_line(guard, "Name") != "\tguard"; ++i) usleep(10'000);
  REQUIRE(status_line(guard, "Name") == "\tguard");
  CHECK(status_line(guard, "SigBlk").starts_with("\tfffffffe"));
  kill(guard, SIGKILL);
  CHECK(ended(guard));
  REQUIRE(write(command.fd(), "all", 3) == 3);
  CHECK(command.wait().empty());
  std::string text;
  std::ifstream(seen) >> text;
  CHECK(text == "all");
}

TEST_CASE("Command: one that ignores SIGTERM, or is stopped, ends too") {
  Command deaf("trap '' TERM; echo ready; while :; do sleep 1000; done", Use::Producer, "");
  char text[8] = {};
  REQUIRE(read(deaf.fd(), text, sizeof text) == 6);
  const pid_t pid = deaf.pid();
  deaf.end(std::chrono::milliseconds(50));
  CHECK(kill(pid, 0) != 0);
  CHECK(deaf.wait() == "was killed by signal 9 (SIGKILL)");

  Command stopped("kill -STOP $$; echo on", Use::Producer, "");
  for (int i = 0; i < 500 && status_line(stopped.pid(), "State").find('T') == std::string::npos;
       ++i)
    usleep(10'000);
  stopped.end(std::chrono::seconds(20));
  CHECK(stopped.wait() == "was killed by signal 15 (SIGTERM)");
}

}  // namespace
}  // namespace zx
