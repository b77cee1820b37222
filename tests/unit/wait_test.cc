// SPDX-License-Identifier: MIT
#include "common/base/wait.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "common/base/stop.h"
#include "common/base/unique_fd.h"

namespace zx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Clock::time_point in(Clock::duration time) {
  return Clock::now() + time;
}

TEST_CASE("wait_any: tells the first that is ready, and passes over -1") {
  Pipe silent, speaks, ended;
  REQUIRE(write(speaks.writing.get(), "x", 1) == 1);
  ended.writing = UniqueFd();
  const int a = silent.reading.get(), b = speaks.reading.get(), c = ended.reading.get();
  CHECK(wait_any({{a}, {b}, {c}}, in(seconds(20))) == size_t{1});
  CHECK(wait_any({{-1}, {a}, {c}, {b}}, in(seconds(20))) == size_t{2});
  CHECK(wait_any({{a}, {silent.writing.get(), POLLOUT}}, in(seconds(20))) == size_t{1});
}

TEST_CASE("wait_any: ends at the deadline, not before, and looks once when that has passed") {
  Pipe silent, speaks;
  REQUIRE(write(speaks.writing.get(), "x", 1) == 1);
  const auto deadline = in(milliseconds(30));
  CHECK_FALSE(wait_any({{silent.reading.get()}}, deadline));
  CHECK(Clock::now() >= deadline);
  CHECK_FALSE(wait_any({{silent.reading.get()}}, Clock::time_point::min()));
  CHECK(wait_any({{speaks.reading.get()}}, Clock::time_point::min()) == size_t{0});
  CHECK(wait_any({{speaks.reading.get()}}, Clock::time_point::max()) == size_t{0});
}

TEST_CASE("pause_for: takes its time") {
  const auto end = in(milliseconds(30));
  pause_for(milliseconds(30));
  CHECK(Clock::now() >= end);
}

template <typename Wait>
void check_is_cancelled(Wait wait) {
  std::atomic<bool> cancelled{false}, seen{false};
  std::thread worker([&] {
    const CancelScope scope(cancelled);
    try {
      wait();
    } catch (const Cancelled&) {
      seen = true;
    }
  });
  std::this_thread::sleep_for(milliseconds(20));
  cancelled = true;
  worker.join();
  CHECK(seen);
}

TEST_CASE("a wait is ended by the flag of its thread's CancelScope") {
  check_is_cancelled([] { (void)wait_any({}, in(seconds(20))); });
  check_is_cancelled([] { pause_for(seconds(20)); });
  std::mutex mutex;
  std::condition_variable changed;
  check_is_cancelled([&] {
    std::unique_lock lock(mutex);
    (void)wait_for_change(changed, lock, in(seconds(20)), [] { return false; });
  });
}

// The flag of a stop signal is never taken back: in a process of its own.
template <typename Body>
int status_of_child(Body body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(30);
    const SignalWatch watch;
    _exit(body());
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

bool is_interrupted_soon(const std::function<void()>& wait) {
  const auto begin = Clock::now();
  bool seen = false;
  try {
    wait();
  } catch (const Interrupted& stop) {
    seen = stop.signal == SIGTERM;
  }
  return seen && Clock::now() - begin < seconds(5);
}

TEST_CASE("a wait is ended by a stop signal on every thread") {
  CHECK(status_of_child([] {
          std::atomic<int> interrupted{0};
          std::mutex mutex;
          std::condition_variable changed;
          std::thread poller([&] {
            interrupted += is_interrupted_soon([] { (void)wait_any({}, in(seconds(20))); });
          });
          std::thread waiter([&] {
            std::unique_lock lock(mutex);
            interrupted += is_interrupted_soon([&] {
              (void)wait_for_change(changed, lock, in(seconds(20)), [] { return false; });
            });
          });
          std::this_thread::sleep_for(milliseconds(20));
          kill(getpid(), SIGTERM);
          interrupted += is_interrupted_soon([] { pause_for(seconds(20)); });
          poller.join();
          waiter.join();
          return interrupted.load();
        }) == 3);
}

TEST_CASE("after a stop signal, what is ready is told, and some waits go on") {
  CHECK(status_of_child([] {
          kill(getpid(), SIGTERM);
          while (!stop_requested()) std::this_thread::sleep_for(milliseconds(1));
          Pipe pipe;
          const int in_fd = pipe.reading.get(), out_fd = pipe.writing.get();
          if (wait_any({{in_fd}, {out_fd, POLLOUT}}, in(seconds(20))) != size_t{1}) return 1;
          if (wait_any({{in_fd}}, Clock::now())) return 2;
          const auto end = in(milliseconds(50));
          if (wait_regardless({{in_fd}}, end) || Clock::now() < end) return 3;
          return is_interrupted_soon([&] { (void)wait_any({{in_fd}}, in(seconds(20))); }) ? 0 : 4;
        }) == 0);
}

TEST_CASE("wait_for_change: true as soon as it is so, false at the deadline") {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::unique_lock lock(mutex);
  CHECK_FALSE(wait_for_change(changed, lock, in(milliseconds(10)), [&] { return done; }));
  std::thread other([&] {
    const std::lock_guard held(mutex);
    done = true;
    changed.notify_all();
  });
  CHECK(wait_for_change(changed, lock, in(seconds(20)), [&] { return done; }));
  CHECK(lock.owns_lock());
  lock.unlock();
  other.join();
}

TEST_CASE("retry_until: again until it succeeds, is incurable or would be too late") {
  int calls = 0;
  const auto fails = [&](int times) {
    return [&calls, times] {
      if (++calls <= times) throw Error(ExitStatus::Network, std::to_string(calls));
      return calls;
    };
  };
  const auto always = [](const Error&) { return true; };
  CHECK(retry_until(in(seconds(20)), fails(2), always) == 3);
  calls = 0;
  CHECK_THROWS_WITH(retry_until(in(seconds(20)), fails(9), [&](const Error&) { return calls < 2; }),
                    "2");
  calls = 0;
  CHECK_THROWS_WITH(retry_until(Clock::now(), fails(9), always), "1");
}

}  // namespace
}  // namespace zx
