// SPDX-License-Identifier: MIT
// PipeSource: the source of an entry of unknown length: standard input, or the output of a command
// (--exec). What it gives goes through a window in memory, from which it is sent, and sent again,
// until the receiver has acknowledged it. Nothing is read ahead of the window.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/command.h"
#include "common/file/source_file.h"
#include "common/file/spool.h"
#include "common/wire/limits.h"

namespace zx {

class PipeSource {
 public:
  /// What it becomes at the receiver, and how much that will be, as somebody expects (0: nobody).
  struct Label {
    std::string name;
    uint64_t expected_bytes = 0;
  };

  /// Standard input, which stays open to the end. Throws Error{FileIo} when it is not open for
  /// reading or is a directory.
  explicit PipeSource(Label label);
  /// The output of a command, which begins with start().
  PipeSource(Label label, std::string command);

  const Label& label() const { return label_; }
  /// For messages, those to the peer too: the text of a command, which may hold a password, is not
  /// in it.
  std::string describe() const {
    return command_text_.empty() ? "standard input" : "the --exec command";
  }
  /// Makes the window (memory, up to kMaxUnacknowledgedBytes) and starts the command, if there is
  /// one. Before it there is neither window() nor input(). Throws
  /// Error{CommandFailed|FileIo|NoSpace}.
  void start();

  /// The window as a file: [begin(), end()) of it is there.
  const std::shared_ptr<const SourceFile>& window() const { return window_; }
  /// False when what comes in has to be copied by the program.
  bool spliced() const { return spliced_; }
  uint64_t begin() const { return spool_ ? spool_->begin() : 0; }
  uint64_t end() const { return spool_ ? spool_->end() : 0; }
  bool full() const { return end() - begin() >= kMaxUnacknowledgedBytes; }
  /// Takes at most `bytes` (> 0) more, and no more than the window has room for, of what is there
  /// now. False when nothing is. Does not wait.
  bool take(size_t bytes);
  /// To wait for more: readable then, or at the end.
  int input() const { return ended_ ? -1 : input_; }
  /// Nothing more will come: the end, or an error.
  bool ended() const { return ended_; }
  int error() const { return error_; }
  void release_to(uint64_t offset) { spool_->release_to(offset); }

  /// The command; nothing for standard input, and before start().
  Command* command() { return command_ ? &*command_ : nullptr; }
  /// Takes nothing more and ends the command. Blocking, up to some seconds.
  void stop() noexcept;

 private:
  const Label label_;
  std::string command_text_;
  std::optional<Command> command_;
  int input_ = -1;  // owned by command_, or nobody's
  bool spliced_ = false, ended_ = false;
  int error_ = 0;
  std::optional<Spool> spool_;
  std::shared_ptr<const SourceFile> window_;
};

/// Standard input as a file, when it is a regular one that is at its beginning: its size is known,
/// and it can be read again. `name` is what it becomes.
std::optional<SourceFile> standard_input_file(const std::string& name);

}  // namespace zx
