// SPDX-License-Identifier: MIT
#include "common/base/command.h"

#include <unistd.h>

namespace zx {

Command::Command(const std::string& command, Use use, const std::string& hidden) : use_(use) {
  Pipe pipe;
  ChildSetup setup{.argv = {"/bin/sh", "-c", command},
                   .error = STDERR_FILENO,
                   .own_group = true,
                   .hidden = hidden,
                   .failure = ExitStatus::CommandFailed};
  if (use == Use::Producer) {
    setup.output = pipe.writing.get();
  } else {
    setup.input = pipe.reading.get();
    setup.output = STDOUT_FILENO;
  }
  child_.emplace(setup);
  pipe_ = std::move(use == Use::Producer ? pipe.reading : pipe.writing);
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
  close_pipe();
}

}  // namespace zx
