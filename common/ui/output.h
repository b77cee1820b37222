// SPDX-License-Identifier: MIT
// Output: text for standard output, standard error or a file, in whole lines. Who reads it slowly
// slows the run down and loses nothing; a stop signal ends the waiting.
#pragma once

#include <functional>
#include <string>

namespace zx {

class Output {
 public:
  /// -1: what is written goes nowhere. The descriptor is not owned; it may be non-blocking.
  explicit Output(int fd = -1) : fd_(fd) {}
  bool wanted() const { return fd_ >= 0; }
  int fd() const { return fd_; }

  /// Waits for the reader, after a stop signal only a moment, and calls `meanwhile` now and then.
  /// Not on the signal thread.
  void write(std::string text, const std::function<void()>& meanwhile = {});
  /// Never waits: the text is dropped when the reader is behind, false. PIPE_BUF at most.
  bool offer(const std::string& text);
  /// Nothing more will be written. What a network file system tells only now is looked at. Returns
  /// the errno of what was lost first; nothing is written after a loss, so that only the end is
  /// missing. 0: everything was written.
  int end();

 private:
  int fd_;
  int error_ = 0;
  std::string rest_;  // of a text that was offered and taken in part
};

}  // namespace zx
