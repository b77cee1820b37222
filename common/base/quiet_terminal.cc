// SPDX-License-Identifier: MIT
#include "common/base/quiet_terminal.h"

#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <utility>

namespace zx {
namespace {

// For handlers: written only while they are not installed.
int terminal = -1;
termios before{}, quiet{};
std::string prompt_text;
struct sigaction old_stop {
}, old_continue{};
std::atomic<bool> active{false};

// Not in the background: there the terminal is the shell's, and this would stop the program.
bool is_ours() {
  return tcgetpgrp(terminal) == getpgrp();
}

void be_quiet() {
  if (!is_ours()) return;
  (void)tcsetattr(terminal, TCSAFLUSH, &quiet);
  (void)!write(terminal, prompt_text.data(), prompt_text.size());
}

// Without waiting for output to drain, which Ctrl-S may hold; what was typed is for nobody else.
void be_as_before() {
  if (!is_ours()) return;
  (void)tcflush(terminal, TCIFLUSH);
  (void)tcsetattr(terminal, TCSANOW, &before);
  (void)!write(terminal, "\n", 1);  // cosmetic
}

void on_stop(int) {
  const int error = errno;
  be_as_before();
  (void)raise(SIGSTOP);
  errno = error;
}

// Whatever has stopped it, reading in the background too.
void on_continue(int) {
  const int error = errno;
  be_quiet();
  errno = error;
}

}  // namespace

QuietTerminal::QuietTerminal(int tty, std::string prompt) {
  prompt_text = std::move(prompt);
  if (tcgetattr(tty, &before) != 0) {
    (void)!write(tty, prompt_text.data(), prompt_text.size());
    return;
  }
  terminal = tty;
  quiet = before;
  quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  active = true;
  struct sigaction action {};
  action.sa_flags = SA_RESTART;
  action.sa_handler = on_stop;
  sigaction(SIGTSTP, &action, &old_stop);
  action.sa_handler = on_continue;
  sigaction(SIGCONT, &action, &old_continue);
  // Not be_quiet(): in the background this stops the program until it is in the foreground.
  (void)tcsetattr(tty, TCSAFLUSH, &quiet);
  (void)!write(tty, prompt_text.data(), prompt_text.size());
}

QuietTerminal::~QuietTerminal() {
  if (!active) return;
  sigaction(SIGTSTP, &old_stop, nullptr);
  sigaction(SIGCONT, &old_continue, nullptr);
  restore_terminal();
}

void restore_terminal() noexcept {
  if (!active) return;
  be_as_before();  // twice, when a second signal comes meanwhile; never not at all
  active = false;
}

}  // namespace zx
