// SPDX-License-Identifier: MIT
// Notices: what a session says while it goes on, to whoever shows it to people. Texts are quoted.
// Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace zx {

class Notices {
 public:
  virtual ~Notices() = default;
  /// The listener is ready. Once.
  virtual void listening(uint16_t port) = 0;
  /// Something the operator should know.
  virtual void note(const std::string& text) = 0;
  /// Of interest with -v.
  virtual void detail(const std::string& text) = 0;
  /// The connection of this session was lost and made again, so often by now.
  virtual void reconnected(uint64_t times) = 0;
  /// What the thread that calls this has to do now and then while it waits for a slow reader of all
  /// this; nothing that waits long.
  virtual void while_waiting(std::function<void()> /*task*/) {}
};

}  // namespace zx
