// SPDX-License-Identifier: MIT
#include "common/base/command.h"

#include <unistd.h>

#include <algorithm>
#include <array>

namespace zx {
namespace {

constexpr std::array kBash{"/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash"};

// nullptr where there is none.
const char* bash() {
  const auto* const found =
      std::ranges::find_if(kBash, [](const char* path) { return access(path, X_OK) == 0; });
  return found == kBash.end() ? nullptr : *found;
}

// A single | outside of quotes: what it ends with is not all that may have failed.
bool has_pipe(const std::string& command) {
  char quoted = 0;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    if (c == '\\' && quoted != '\'')
      ++i;
    else if (quoted != 0)
      quoted = c == quoted ? '\0' : quoted;
    else if (c == '\'' || c == '"')
      quoted = c;
    else if (c == '|' && i + 1 < command.size() && command[i + 1] == '|')
      ++i;
    else if (c == '|')
      return true;
  }
  return false;
}

std::vector<std::string> shell_arguments(const std::string& command) {
  if (const char* shell = bash()) return {shell, "-o", "pipefail", "-c", command};
  return {"/bin/sh", "-c", command};
}

}  // namespace

std::string Command::remark(const std::string& command) {
  if (bash() != nullptr || !has_pipe(command)) return "";
  return "of the commands in --exec only the last one's status counts, because bash is not "
         "installed here";
}

Command::Command(const std::string& command, Use use, const std::string& hidden) : use_(use) {
  Pipe pipe;
  ChildSetup setup{.argv = shell_arguments(command),
                   .error = STDERR_FILENO,
                   .own_group = true,
                   .hidden = hidden,
                   .failure = ExitStatus::CommandFailed};
  if (use == Use::Producer) {
    setup.output = pipe.writing.get();
  } else {
    setup.input = pipe.reading.get();
    setup.output = STDOUT_FILENO;
    guard_.emplace(pipe.writing.get(), setup.failure);
    setup.group_told = guard_->announcement();
  }
  child_.emplace(setup);
  pipe_ = std::move(use == Use::Producer ? pipe.reading : pipe.writing);
}

void Command::close_pipe() {
  if (guard_) guard_->let_go();
  (void)pipe_.close();
}

std::string Command::wait() {
  close_pipe();
  (void)child_->wait();
  return failure();
}

std::string Command::failure() {
  const auto end = child_->wait(Clock::now());
  return end && !end->good() ? end->text() : "";
}

void Command::end(std::chrono::milliseconds patience) noexcept {
  if (use_ == Use::Producer) close_pipe();
  child_->end(patience);
  if (guard_) guard_->dismiss();
  close_pipe();
}

}  // namespace zx
