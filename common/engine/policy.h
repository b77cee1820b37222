// SPDX-License-Identifier: MIT
// The one place that decides how bytes move. Pure functions from facts to an engine and the reason
// why it is not a better one; the table is tests/unit/policy_test.cc.
#pragma once

#include <optional>
#include <string>

namespace zx {

enum class Engine {
  Sendfile,   // file -> socket in the kernel
  Splice,     // socket -> pipe -> file in the kernel
  ReadWrite,  // through a buffer in user space
};

const char* engine_name(Engine engine);

struct Choice {
  Engine engine{};
  std::string why;  // empty when it is the best there is
};

struct SendFacts {
  bool channel_has_descriptor = false;  // Channel::send_fd() >= 0
  std::optional<Engine> asked;          // --engine; nothing for auto
};

struct RecvFacts {
  bool channel_has_descriptor = false;  // Channel::recv_fd() >= 0
  size_t pipe_bytes = 0;                // as read back; 0 when no pipe could be made
  std::optional<Engine> asked;
};

/// Smaller pipes lose bytes on kernels before mid-2026 when they splice from kernel TLS, and cost
/// more calls than a buffer on any.
constexpr size_t kMinSplicePipeBytes = 64 << 10;

Choice choose_send_engine(const SendFacts& facts);
Choice choose_recv_engine(const RecvFacts& facts);

}  // namespace zx
