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

/// True for [user@]host:path and ssh://...: a colon before any slash, as scp decides it. Throws for
/// any other word:// than zs and ssh.
bool looks_like_ssh(std::string_view operand);

/// An operand for which ssh starts the other program.
struct SshEndpoint {
  std::string user;  // empty: whom ssh chooses
  std::string host;  // as ssh gets it, an alias perhaps; IPv6 without brackets
  std::optional<uint16_t> port;
  std::string path;  // at the other end: absolute or relative to the home directory; not empty
};

/// [user@]host:path or ssh://[user@]host[:port][/path] where looks_like_ssh(), else nothing. What
/// ssh could take for an option, and every character with which ssh, its configuration or a shell
/// does something else than with a name, is refused in user and host. The path is taken literally,
/// but for a leading "~/", which is the home directory; that is also what an empty path means.
std::optional<SshEndpoint> parse_ssh(std::string_view operand);

/// What to tell who has written host:PORT, as for nc(1), where it means a file; "" for another
/// path.
std::string port_remark(const SshEndpoint& endpoint);

/// [user@]host, brackets nowhere: ssh's destination argument, and how messages name the other end.
std::string ssh_destination(const SshEndpoint& endpoint);

/// --port-range A-B, or one port. Never 0.
struct PortRange {
  uint16_t first = 0, last = 0;  // 0, 0: the kernel chooses
};
PortRange parse_port_range(std::string_view text);

/// host:port, with brackets round an IPv6 host.
std::string to_text(const HostPort& address);

}  // namespace zx
