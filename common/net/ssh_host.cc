// SPDX-License-Identifier: MIT
#include "common/net/ssh_host.h"

#include <unistd.h>

#include <array>
#include <condition_variable>
#include <mutex>
#include <sstream>
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
  constexpr size_t kMaxBytes = 256 << 10;
  std::string text;
  std::array<char, 4096> buffer{};
  try {
    Pipe pipe;
    const Child ssh({.argv = argv, .output = pipe.writing.get(), .dies_with_thread = true});
    pipe.writing = UniqueFd();
    const auto deadline = Clock::now() + limit;
    while (text.size() < kMaxBytes && wait_any({{pipe.reading.get()}}, deadline)) {
      const ssize_t n = read(pipe.reading.get(), buffer.data(), buffer.size());
      if (n <= 0) break;
      text.append(buffer.data(), static_cast<size_t>(n));
    }
  } catch (const Error&) {  // the real start says it better
  }
  constexpr std::string_view kKey = "hostname ";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(kKey) && line.size() > kKey.size()) return line.substr(kKey.size());
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
      found = numeric_hosts(ssh_host_name(ssh, endpoint, kConfigLimit), family);
    } catch (...) {  // not known, or a stop signal: nobody waits
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
