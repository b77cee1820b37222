// SPDX-License-Identifier: MIT
// A terminal that does not echo while somebody types a secret.
#pragma once

#include <string>

namespace zx {

/// Writes the prompt and switches the echo off, while it lives. Ctrl-Z (SIGTSTP) has it on again
/// while the program is stopped, and a program that is continued in the foreground prompts again.
/// One at a time; a terminal of which the modes cannot be read is left alone.
class QuietTerminal {
 public:
  QuietTerminal(int tty, std::string prompt);
  ~QuietTerminal();
  QuietTerminal(const QuietTerminal&) = delete;
  QuietTerminal& operator=(const QuietTerminal&) = delete;
};

/// For the end by a signal, where no destructor runs: as the destructor does it.
/// Async-signal-safe; does nothing without a QuietTerminal.
void restore_terminal() noexcept;

}  // namespace zx
