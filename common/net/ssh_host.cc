// SPDX-License-Identifier: MIT
#include "common/net/ssh_host.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "common/base/error.h"

namespace zx {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kConfigLimit{10'000};

// What `ssh -G` says; the operand's own name when it says nothing. No connection is made.
std::string ssh_host_name(const SshOptions& options, const SshEndpoint& endpoint,
                          milliseconds limit) {
  std::vector<std::string> argv = ssh_arguments(options, endpoint, "");
  argv.insert(argv.begin() + 1, "-G");
  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) return endpoint.host;
  const UniqueFd from(pipe[0]);
  UniqueFd to(pipe[1]);
  pid_t pid = -1;
  try {
    pid = start_program(argv, -1, to.get(), -1);
  } catch (const Error&) {
    return endpoint.host;  // the real start says it better
  }
  to = UniqueFd();
  const auto deadline = Clock::now() + limit;
  constexpr size_t kMaxBytes = 256 << 10;
  std::string text;
  std::array<char, 4096> buffer{};
  while (text.size() < kMaxBytes && Clock::now() < deadline) {
    pollfd p{from.get(), POLLIN, 0};
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (poll(&p, 1, static_cast<int>(std::max<int64_t>(left.count(), 0))) <= 0) continue;
    const ssize_t n = read(from.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(n));
  }
  (void)kill(pid, SIGKILL);  // it has said all; one that has not is not waited for
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  constexpr std::string_view kKey = "hostname ";
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line(text.data() + at, end - at);
    if (line.starts_with(kKey) && line.size() > kKey.size())
      return std::string(line.substr(kKey.size()));
    at = end + 1;
  }
  return endpoint.host;
}

}  // namespace

struct SshHostFinder::State {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
  std::vector<std::string> addresses;
};

SshHostFinder::SshHostFinder(const SshOptions& ssh, const SshEndpoint& endpoint, Family family)
    : state_(std::make_shared<State>()) {
  std::thread([=, state = state_] {
    std::vector<std::string> found;
    try {
      found = numeric_addresses(ssh_host_name(ssh, endpoint, kConfigLimit), family);
    } catch (...) {  // a stop signal: nobody waits
    }
    const std::lock_guard lock(state->mutex);
    state->addresses = std::move(found);
    state->done = true;
    state->changed.notify_all();
  }).detach();
}

std::vector<std::string> SshHostFinder::addresses(milliseconds limit) const {
  const auto deadline = Clock::now() + limit;
  std::unique_lock lock(state_->mutex);
  (void)wait_for_change(state_->changed, lock, deadline, [&] { return state_->done; });
  return state_->addresses;
}

}  // namespace zx
