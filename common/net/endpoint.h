// SPDX-License-Identifier: MIT
// Operands and addresses as text: pure parsing, no look-up, no I/O. Errors are Error{Usage}.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace zx {

constexpr uint16_t kDefaultPort = 7717;

struct HostPort {
  std::string host;  // empty: any address (only when listening); IPv6 without brackets
  uint16_t port = kDefaultPort;
};

/// zs://host[:port][/path]. The path is taken literally (no %-decoding) and split at '/'.
struct DirectEndpoint {
  HostPort address;
  std::vector<std::string> path;
  bool path_is_directory = false;  // ended with '/'
};

/// The endpoint when the operand begins with "zs://", else nothing.
std::optional<DirectEndpoint> parse_direct(std::string_view operand);

/// The argument of --listen: [HOST:]PORT, an IPv6 host in brackets. Port 0 lets the kernel choose.
HostPort parse_listen(std::string_view argument);

/// True for [user@]host:path and ssh://...: a colon before any slash, as scp decides it.
bool looks_like_ssh(std::string_view operand);

/// host:port, with brackets round an IPv6 host.
std::string to_text(const HostPort& address);

}  // namespace zx
