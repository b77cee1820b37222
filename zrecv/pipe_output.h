// SPDX-License-Identifier: MIT
// PipeOutput: who gets the content that is handed on: standard output, or the command of --exec on
// its standard input. Moves bytes, and says what it means when that fails. Not thread-safe.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/command.h"
#include "common/base/error.h"

namespace zx {

class PipeOutput {
 public:
  /// Without a command it is standard output. Throws Error{Usage} when that is closed or a
  /// terminal.
  explicit PipeOutput(std::optional<std::string> command);

  /// For messages.
  std::string describe() const { return command_text_ ? "the --exec command" : "standard output"; }
  /// What kind it is, and how bytes get there: for -v.
  std::string path() const;
  bool is_command() const { return command_text_.has_value(); }

  /// Starts the command. Throws Error{CommandFailed}. Nothing for standard output.
  void start();
  /// To be polled for POLLOUT before hand_over(). After start().
  int fd() const { return command_ ? command_->fd() : STDOUT_FILENO; }
  /// Hands over up to `bytes` of the file from `offset` on, in their order; for a pipe the file's
  /// pages themselves, which must not be written to again. Returns the count, 0 when nothing can be
  /// taken now, or -errno.
  ssize_t hand_over(int file, uint64_t offset, size_t bytes);
  /// The error for a failed hand_over(): what has become of the reader. Waits for a moment for the
  /// command to end, which is ended then in any case.
  Error failed(int error);
  /// Readable when the command has ended; -1 without one.
  int process_fd() const { return command_ ? command_->process_fd() : -1; }
  /// Throws Error{CommandFailed} when the command has ended, and not with 0.
  void check_command();
  /// All has been handed over. Waits for the command, as long as that takes; looks for a stop.
  /// Throws Error{CommandFailed} when it fails or has not taken everything, Error{FileIo|NoSpace}
  /// when a file says so only now.
  void finish();
  /// Not all was handed over: the command is ended before it can see the end of its input.
  /// Blocking, up to some seconds.
  void abandon() noexcept {
    if (command_) command_->end();
  }

 private:
  enum class Kind { Pipe, File, Other };

  void find_kind();
  ssize_t copy(int file, uint64_t offset, size_t bytes);

  const std::optional<std::string> command_text_;
  std::unique_ptr<Command> command_;
  Kind kind_ = Kind::Pipe;
  bool socket_ = false;
  std::vector<std::byte> buffer_;
};

}  // namespace zx
