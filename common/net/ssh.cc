// SPDX-License-Identifier: MIT
#include "common/net/ssh.h"

#include <unistd.h>

#include <array>
#include <cerrno>

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

SshProcess::SshProcess(const std::vector<std::string>& argv, Say say) : say_(std::move(say)) {
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
  std::array<char, 4096> buffer{};
  while (wait_regardless({{messages_.get()}, {stop_reading_.fd()}}) == size_t{0}) {
    const ssize_t n = read(messages_.get(), buffer.data(), buffer.size());
    if (n == 0 || (n < 0 && errno != EINTR)) break;
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

}  // namespace zx
