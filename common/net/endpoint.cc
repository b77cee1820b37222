// SPDX-License-Identifier: MIT
#include "common/net/endpoint.h"

#include <algorithm>
#include <charconv>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

constexpr std::string_view kScheme = "zs://";

[[noreturn]] void bad(std::string_view whole, std::string_view reason) {
  throw Error(ExitStatus::Usage, quote(whole) + ": " + std::string(reason));
}

uint16_t parse_port(std::string_view digits, std::string_view whole) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size())
    bad(whole, "port must be a number from 0 to 65535");
  return port;
}

// Letters, digits and `also`; what begins with '-' could be taken for an option.
void check_name(std::string_view name, std::string_view also, const std::string& what,
                std::string_view whole) {
  if (name.front() == '-') bad(whole, "a " + what + " cannot begin with '-'");
  for (char c : name)
    if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
        also.find(c) == std::string_view::npos)
      bad(whole, "the " + what + " has a character that no " + what + " name has");
}

void check_host(std::string_view host, std::string_view whole) {
  if (host.empty()) bad(whole, "no host");
  check_name(host, ".-_:%", "host", whole);
}

// For ssh's command line: only what user names have. An @ is in those of some directories, and a
// backslash stands behind the domain of a Windows user; ssh takes it anywhere but at the end.
void check_user(std::string_view user, std::string_view whole) {
  if (user.empty()) bad(whole, "no user before '@'");
  check_name(user, "._-+@=,\\", "user", whole);
  if (user.ends_with('\\')) bad(whole, "a user name cannot end with a backslash");
}

// Splits "host:port", "[v6]:port", "host", "[v6]"; the host is not yet checked.
HostPort split_host_port(std::string_view text, std::string_view whole) {
  HostPort out;
  if (!text.empty() && text.front() == '[') {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) bad(whole, "'[' without ']'");
    out.host = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    if (text.empty()) return out;
    if (text.front() != ':') bad(whole, "expected ':' after ']'");
    out.port = parse_port(text.substr(1), whole);
    return out;
  }
  const size_t colon = text.find(':');
  out.host = text.substr(0, colon);
  if (colon == std::string_view::npos) return out;
  if (text.find(':', colon + 1) != std::string_view::npos)
    bad(whole, "an IPv6 address needs brackets, as in [::1]:7717");
  out.port = parse_port(text.substr(colon + 1), whole);
  return out;
}

}  // namespace

std::optional<DirectEndpoint> parse_direct(std::string_view operand) {
  if (!operand.starts_with(kScheme)) return std::nullopt;
  const std::string_view rest = operand.substr(kScheme.size());
  const size_t slash = rest.find('/');
  DirectEndpoint out;
  out.address = split_host_port(rest.substr(0, slash), operand);
  check_host(out.address.host, operand);
  if (out.address.port == 0) bad(operand, "port 0 cannot be connected to");
  std::string_view path = slash == std::string_view::npos ? "" : rest.substr(slash);
  out.path_is_directory = path.size() > 1 && path.back() == '/';
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const size_t next = path.find('/');
    const std::string_view component = path.substr(0, next);
    if (component == "." || component == "..")
      bad(operand, "the path is below the listener's directory and cannot have '.' or '..'");
    if (component.size() > kMaxNameBytes) bad(operand, "a name is longer than 255 bytes");
    if (!component.empty()) out.path.emplace_back(component);
    path = next == std::string_view::npos ? "" : path.substr(next);
  }
  return out;
}

HostPort parse_listen(std::string_view argument) {
  if (argument.find_first_not_of("0123456789") == std::string_view::npos && !argument.empty())
    return {"", parse_port(argument, argument)};
  const bool has_port = argument.rfind(':') != std::string_view::npos && !argument.ends_with(']');
  if (!has_port) bad(argument, "--listen needs [HOST:]PORT");
  const HostPort out = split_host_port(argument, argument);
  if (!out.host.empty()) check_host(out.host, argument);
  return out;
}

namespace {

// No URL but our two: `https://host/x` would be the path //x on a host named https.
void refuse_other_schemes(std::string_view operand) {
  const size_t colon = operand.find(':');
  std::string scheme(operand.substr(0, colon));
  for (char& c : scheme)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  const std::string_view rest = operand.substr(std::min(colon, operand.size()));
  if (scheme.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789+-.") != std::string::npos ||
      !(rest.starts_with("://") || (scheme == "zs" && rest.starts_with(":/"))))
    return;
  const bool by_ssh = scheme == "ssh" || scheme == "scp" || scheme == "sftp" || scheme == "rsync";
  bad(operand, std::string("did you mean ") + (by_ssh ? "ssh://HOST/PATH?" : "zs://HOST:PORT?"));
}

}  // namespace

bool looks_like_ssh(std::string_view operand) {
  if (operand.starts_with("ssh://")) return true;
  if (operand.starts_with(kScheme)) return false;
  refuse_other_schemes(operand);
  // As in scp: "[...]:path" and "host:path", but a slash before the colon makes it a local name.
  const size_t colon = operand.find(':');
  const size_t bracket = operand.find('[');
  if (bracket < colon && bracket < operand.find('/') &&
      (bracket == 0 || operand[bracket - 1] == '@'))
    return operand.find("]:") < operand.find('/');
  return colon != std::string_view::npos && colon > 0 && operand.find('/') > colon;
}

std::optional<SshEndpoint> parse_ssh(std::string_view operand) {
  if (!looks_like_ssh(operand)) return std::nullopt;
  constexpr std::string_view kSsh = "ssh://";
  SshEndpoint out;
  std::string_view host, path;
  if (operand.starts_with(kSsh)) {
    const std::string_view rest = operand.substr(kSsh.size());
    const size_t slash = rest.find('/');
    host = rest.substr(0, slash);
    path = slash == std::string_view::npos ? "" : rest.substr(slash);
    // /~/x is x in the home directory, as in the URLs of git and curl.
    if (path == "/~" || path.starts_with("/~/")) path.remove_prefix(1);
  } else {
    // The host ends at the first colon outside of brackets.
    const size_t bracket = operand.find('['), close = operand.find("]:");
    const bool v6 = bracket != std::string_view::npos && close != std::string_view::npos &&
                    bracket < operand.find(':');
    const size_t colon = v6 ? close + 1 : operand.find(':');
    host = operand.substr(0, colon);
    path = operand.substr(colon + 1);
  }
  const size_t at = host.rfind('@');
  if (at != std::string_view::npos) {
    out.user = host.substr(0, at);
    check_user(out.user, operand);
    host.remove_prefix(at + 1);
  }
  if (operand.starts_with(kSsh) && host.find(':') != std::string_view::npos &&
      !host.ends_with(']')) {
    const HostPort address = split_host_port(host, operand);
    if (address.port == 0) bad(operand, "port 0 cannot be connected to");
    out.host = address.host;
    out.port = address.port;
  } else if (host.starts_with('[')) {
    if (!host.ends_with(']')) bad(operand, "'[' without ']'");
    out.host = host.substr(1, host.size() - 2);
  } else {
    out.host = host;
  }
  check_host(out.host, operand);
  if (path == "~" || path.starts_with("~/")) {
    path.remove_prefix(1);
    while (path.starts_with('/')) path.remove_prefix(1);
  }
  // A file of that name, never the standard input or output of the program at the other end.
  out.path = path.empty() ? "." : path == "-" ? "./-" : path;
  if (out.path.size() > kMaxOperandBytes) bad(operand, "the path is longer than 4095 bytes");
  return out;
}

std::string port_remark(const SshEndpoint& endpoint) {
  if (endpoint.path.size() > 5 ||
      endpoint.path.find_first_not_of("0123456789") != std::string::npos)
    return "";
  return "'" + endpoint.path + "' is the name of a file on " + quote(endpoint.host) +
         "; a zrecv or zsend that listens there is " +
         shell_word("zs://" +
                    (endpoint.host.find(':') == std::string::npos ? endpoint.host
                                                                  : "[" + endpoint.host + "]") +
                    ":" + endpoint.path);
}

std::string ssh_destination(const SshEndpoint& endpoint) {
  return endpoint.user.empty() ? endpoint.host : endpoint.user + "@" + endpoint.host;
}

PortRange parse_port_range(std::string_view text) {
  const size_t dash = text.find('-');
  PortRange out;
  out.first = parse_port(text.substr(0, dash), text);
  out.last = dash == std::string_view::npos ? out.first : parse_port(text.substr(dash + 1), text);
  if (out.first == 0 || out.last < out.first) bad(text, "ports must be A-B, with 1 <= A <= B");
  return out;
}

std::string to_text(const HostPort& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace zx
