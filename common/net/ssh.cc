// SPDX-License-Identifier: MIT
#include "common/net/ssh.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <sstream>

#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

using std::chrono::milliseconds;

// Who keeps on writing when ssh has ended is not read for ever.
constexpr size_t kRoundsAfterStop = 1000;
// Of its messages: a remote shell may write as much as it likes there.
constexpr size_t kMaxLines = 200, kMaxLineBytes = 1024;
constexpr milliseconds kOrderlyEnd{2000}, kAfterTerm{500};
// Of `ssh -G`.
constexpr milliseconds kConfigLimit{10'000};

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

SshProcess::SshProcess(const std::vector<std::string>& argv, Say say)
    : say_(std::move(say)), command_(argv.back()) {
  SocketPair pair;
  Pipe messages;
  child_.emplace(ChildSetup{.argv = argv,
                            .input = pair.theirs.get(),
                            .output = pair.theirs.get(),
                            .error = messages.writing.get(),
                            .failure = ExitStatus::Network});
  socket_ = std::move(pair.mine);
  messages_ = std::move(messages.reading);
  reader_ = std::thread([this] { read_messages(); });
}

SshProcess::~SshProcess() {
  socket_ = UniqueFd();
  // A stop signal from a terminal has reached ssh too.
  child_->end(kAfterTerm, stop_requested() ? milliseconds(0) : kOrderlyEnd);
  stop_reading_.set();
  if (reader_.joinable()) reader_.join();
}

SshProcess::End SshProcess::wait(milliseconds limit) {
  (void)child_->wait(Clock::now() + limit);
  child_->end(milliseconds(0));
  stop_reading_.set();
  if (reader_.joinable()) reader_.join();
  return {*child_->wait(), last_line_};
}

// Not so the end of what fish says: "fish:", the command, and marks below the word that it means.
bool SshProcess::tells_something(std::string_view line) const {
  constexpr std::string_view kMarks = "^~ -_=*#";
  return line != command_ && !line.ends_with(':') &&
         line.find_first_not_of(kMarks) != std::string_view::npos;
}

// To its end, or until it is told to stop: with ControlPersist a process that stays behind holds
// the other end of the pipe.
void SshProcess::read_messages() {
  std::string line;
  size_t lines = 0, rounds_after_stop = 0;
  const auto finish_line = [&] {
    line.erase(line.find_last_not_of("\r\n ") + 1);
    if (!line.empty()) {
      const std::string text = escape(line, kMaxLineBytes);
      if (tells_something(line)) last_line_ = text;
      if (++lines <= kMaxLines) say_(text);
      if (lines == kMaxLines + 1) say_("(further messages are not shown)");
    }
    line.clear();
  };
  std::array<char, 4096> buffer{};
  while (wait_regardless({{messages_.get()}, {stop_reading_.fd()}}) == size_t{0}) {
    const ssize_t n =
        retry_regardless([&] { return read(messages_.get(), buffer.data(), buffer.size()); });
    if (n <= 0) break;
    for (ssize_t i = 0; i < n; ++i) {
      const char c = buffer[static_cast<size_t>(i)];
      if (c == '\n')
        finish_line();
      else if (line.size() <= kMaxLineBytes)
        line += c;
    }
    if (wait_regardless({{stop_reading_.fd()}}, Clock::now()) &&
        ++rounds_after_stop > kRoundsAfterStop)
      break;
  }
  finish_line();
}

// --- where it goes

namespace {

// What `ssh -G` says; the operand's own name when it says nothing. No connection is made.
std::string ssh_host_name(const SshOptions& options, const SshEndpoint& endpoint) {
  std::vector<std::string> argv = ssh_arguments(options, endpoint, "");
  argv.insert(argv.begin() + 1, "-G");
  constexpr size_t kMaxBytes = 256 << 10;
  std::string text;
  std::array<char, 4096> buffer{};
  try {
    Pipe pipe;
    const Child ssh({.argv = argv, .output = pipe.writing.get(), .dies_with_thread = true});
    pipe.writing = UniqueFd();
    const auto deadline = Clock::now() + kConfigLimit;
    while (text.size() < kMaxBytes && wait_any({{pipe.reading.get()}}, deadline)) {
      const ssize_t n =
          retry_eintr([&] { return read(pipe.reading.get(), buffer.data(), buffer.size()); });
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

std::future<std::vector<std::string>> find_ssh_host(const SshOptions& options,
                                                    const SshEndpoint& endpoint, Family family) {
  std::promise<std::vector<std::string>> found;
  auto result = found.get_future();
  std::thread([=, found = std::move(found)]() mutable {
    std::vector<std::string> addresses;
    try {
      addresses = numeric_hosts(ssh_host_name(options, endpoint), family);
    } catch (...) {  // not known, or a stop signal: nobody waits
    }
    found.set_value(std::move(addresses));
  }).detach();
  return result;
}

}  // namespace zx
