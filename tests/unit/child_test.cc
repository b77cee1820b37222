// SPDX-License-Identifier: MIT
#include "common/base/child.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <thread>

#include "common/base/defer.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(fd, buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<size_t>(n));
  return out;
}

// What `sh -c script` writes.
std::string output_of(const std::string& script, ChildSetup setup = {}) {
  Pipe pipe;
  setup.argv = {"sh", "-c", script};
  setup.output = pipe.writing.get();
  Child child(setup);
  pipe.writing = UniqueFd();
  const std::string out = read_all(pipe.reading.get());
  CHECK(child.wait()->good());
  return out;
}

TEST_CASE("Child: a program that is not there is an error at once") {
  const auto start = [](const std::string& program) {
    Child child({.argv = {program}, .failure = ExitStatus::Network});
  };
  CHECK(outcome([&] { start("/no/such/program"); }) == "network");
  CHECK(outcome([&] { start("no_such_program"); }) == "network");
  CHECK_THROWS_WITH(start("/no/such/program"),
                    "'/no/such/program': start: No such file or directory");
  CHECK_THROWS_WITH(start("/dev/null"), Catch::Contains("Permission denied"));
}

TEST_CASE("Child: gets the limits back that this program was started with") {
  const std::string script = "ulimit -Sn; ulimit -Sc";
  const std::string at_start = output_of(script);
  for (const auto resource : {RLIMIT_NOFILE, RLIMIT_CORE}) {
    rlimit before{};
    REQUIRE(getrlimit(resource, &before) == 0);
    const Defer restore([&] { setrlimit(resource, &before); });
    const rlimit other{resource == RLIMIT_NOFILE ? 64 : before.rlim_cur / 2, before.rlim_max};
    REQUIRE(setrlimit(resource, &other) == 0);
    CHECK(output_of(script) == at_start);
  }
}

TEST_CASE("Child: its descriptors are those that are given, else /dev/null") {
  CHECK(output_of("cd /proc/self/fd; readlink 0; readlink 2").find("/dev/null\n/dev/null\n") == 0);
  // Those of this program, crossed: its output is read from what it has as its error.
  Pipe crossed;
  const UniqueFd saved(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
  REQUIRE(dup2(crossed.writing.get(), STDERR_FILENO) == STDERR_FILENO);
  (void)Child({.argv = {"sh", "-c", "readlink /proc/$$/fd/2"},
               .output = STDERR_FILENO,
               .error = STDOUT_FILENO})
      .wait();
  dup2(saved.get(), STDERR_FILENO);
  crossed.writing = UniqueFd();
  CHECK(read_all(crossed.reading.get()) ==
        std::filesystem::read_symlink("/proc/self/fd/1").string() + "\n");
}

TEST_CASE("Child: signals that others have ignored stay so, but not in a group of its own") {
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGHUP, &ignore, &before);
  const Defer restore([&] { sigaction(SIGHUP, &before, nullptr); });
  const std::string script = "grep ^SigIgn: /proc/$$/status | tail -c 2";
  CHECK(output_of(script) == "1\n");
  CHECK(output_of(script, {.own_group = true}) == "0\n");
}

TEST_CASE("Child: wait() ends at its deadline, with an answer at the child's end") {
  Child child({.argv = {"sh", "-c", "kill -STOP $$; exit 3"}});
  CHECK_FALSE(child.wait(Clock::now() + milliseconds(20)));
  while (kill(child.pid(), SIGCONT) == 0 && !child.wait(Clock::now() + milliseconds(10))) {
  }
  CHECK(child.wait()->text() == "ended with status 3");
  CHECK_FALSE(child.wait()->good());
}

TEST_CASE("Child: end() lets it end by itself, asks it, and kills it, each after its time") {
  Child by_itself({.argv = {"sh", "-c", "exit 4"}});
  by_itself.end(seconds(20), seconds(20));
  CHECK(by_itself.wait()->text() == "ended with status 4");

  Child asked({.argv = {"sleep", "1000"}});
  asked.end(seconds(20));
  CHECK(asked.wait()->text() == "was killed by signal 15 (SIGTERM)");

  Pipe ready;
  Child deaf({.argv = {"sh", "-c", "trap '' TERM; echo; while :; do sleep 1000 >&-; done"},
              .output = ready.writing.get()});
  char byte = 0;
  REQUIRE(read(ready.reading.get(), &byte, 1) == 1);
  deaf.end(milliseconds(20), milliseconds(20));
  CHECK(deaf.wait()->text() == "was killed by signal 9 (SIGKILL)");
}

TEST_CASE("Child: it can be made to end with the thread that has started it") {
  std::optional<Child> child;
  std::thread([&] {
    child.emplace(ChildSetup{.argv = {"sleep", "1000"}, .dies_with_thread = true});
  }).join();
  REQUIRE(child->wait(Clock::now() + seconds(20)));
  CHECK(child->wait()->text() == "was killed by signal 9 (SIGKILL)");
}

TEST_CASE("Child: destroyed, it has ended") {
  pid_t pid = 0;
  {
    const Child child({.argv = {"sleep", "1000"}});
    pid = child.pid();
  }
  CHECK(kill(pid, 0) != 0);
}

}  // namespace
}  // namespace zx
