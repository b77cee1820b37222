// SPDX-License-Identifier: MIT
#include "common/session/start_dialogue.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <vector>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/random.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

constexpr std::string_view kStart = "zxfer-start";
constexpr size_t kNonceDigits = 32;
// Never the line itself: with something missing or moved it may be the key.
[[noreturn]] void bad(const std::string& what) {
  throw Error(ExitStatus::Protocol, "start by ssh: " + what);
}

template <typename T>
std::optional<T> number(std::string_view digits) {
  T out{};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return {};
  return out;
}

// "a b rest with spaces": the first words by single spaces, the last one takes what is left.
std::vector<std::string_view> words(std::string_view line, size_t count) {
  std::vector<std::string_view> out;
  while (out.size() + 1 < count) {
    const size_t space = line.find(' ');
    if (space == std::string_view::npos) break;
    out.push_back(line.substr(0, space));
    line.remove_prefix(space + 1);
  }
  out.push_back(line);
  return out;
}

template <typename T, size_t N>
using Words = std::array<std::pair<std::string_view, T>, N>;

template <typename T, size_t N>
std::optional<T> find(const Words<T, N>& table, std::string_view value) {
  for (const auto& [name, meaning] : table)
    if (name == value) return meaning;
  return std::nullopt;
}

template <typename T, size_t N>
T word(const Words<T, N>& table, std::string_view value) {
  const auto meaning = find(table, value);
  if (!meaning) bad("an unknown word in the request");
  return *meaning;
}

template <typename T, size_t N>
std::string name_of(const Words<T, N>& table, T value) {
  for (const auto& [name, meaning] : table)
    if (meaning == value) return std::string(name);
  return "";
}

constexpr Words<Role, 2> kRoles{{{"sender", Role::Sender}, {"receiver", Role::Receiver}}};
constexpr Words<Ktls, 3> kKtls{{{"auto", Ktls::Auto}, {"on", Ktls::On}, {"off", Ktls::Off}}};
constexpr Words<Family, 3> kFamilies{{{"any", Family::Any}, {"4", Family::V4}, {"6", Family::V6}}};
constexpr Words<bool, 2> kYesNo{{{"yes", true}, {"no", false}}};
// Plain always with the challenge: the key is there already.
constexpr Words<bool, 2> kModes{{{"tls", false}, {"plain", true}}};
constexpr std::string_view kOperand = "operand ", kName = "name ";
constexpr Words<StartReply::Kind, 4> kReplies{{{"zxfer-ready", StartReply::Kind::Ready},
                                               {"zxfer-error", StartReply::Kind::Error},
                                               {"zxfer-failed", StartReply::Kind::Failed},
                                               {"zxfer-through", StartReply::Kind::Through}}};

bool is_address(std::string_view text) {
  const std::string address(text.substr(0, text.find('%')));
  std::array<unsigned char, sizeof(in6_addr)> scrap{};
  return text.size() < 64 && text == escape(text) &&
         (inet_pton(AF_INET, address.c_str(), scrap.data()) == 1 ||
          inet_pton(AF_INET6, address.c_str(), scrap.data()) == 1);
}

// Neither this machine, nor one that only this machine can tell from others, nor several.
bool is_ordinary(const std::string& address) {
  const std::string bare = address.substr(0, address.find('%'));
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET6, bare.c_str(), &v6) == 1) {
    if (!IN6_IS_ADDR_V4MAPPED(&v6))
      return !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6) &&
             !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_MULTICAST(&v6);
    std::memcpy(&v4, &v6.s6_addr[sizeof v6 - sizeof v4], sizeof v4);
  } else if (inet_pton(AF_INET, bare.c_str(), &v4) != 1) {
    return false;
  }
  const uint32_t host = ntohl(v4.s_addr);
  return host >> 24 != 0 && host >> 24 != IN_LOOPBACKNET && host >> 16 != 0xa9fe &&
         host >> 28 < 0xe;
}

PortRange read_ports(std::string_view value) {
  if (value == "0-0") return {};
  try {
    return parse_port_range(value);
  } catch (const Error&) {
    bad("invalid port range");
  }
}

std::chrono::seconds read_idle(std::string_view value) {
  const auto seconds = number<int64_t>(value);
  if (!seconds || *seconds < 1 || *seconds > 1'000'000) bad("invalid time-out");
  return std::chrono::seconds(*seconds);
}

std::string read_nonce(std::string_view value) {
  if (value.size() != kNonceDigits ||
      value.find_first_not_of("0123456789abcdef") != std::string_view::npos)
    bad("invalid nonce");
  return std::string(value);
}

struct RequestLine {
  std::string_view key;
  void (*take)(StartRequest& request, std::string_view value);
};
using R = StartRequest;
using V = std::string_view;
// In this order between the first line and "end".
constexpr std::array<RequestLine, 9> kRequestLines{{
    {"nonce", [](R& r, V value) { r.nonce = read_nonce(value); }},
    {"key", [](R& r, V value) { r.key = Key::parse(value); }},
    {"role", [](R& r, V value) { r.role = word(kRoles, value); }},
    {"mode", [](R& r, V value) { r.plain = word(kModes, value); }},
    {"ktls", [](R& r, V value) { r.ktls = word(kKtls, value); }},
    {"family", [](R& r, V value) { r.family = word(kFamilies, value); }},
    {"ports", [](R& r, V value) { r.ports = read_ports(value); }},
    {"timeout", [](R& r, V value) { r.idle = read_idle(value); }},
    {"listen", [](R& r, V value) { r.listen = word(kYesNo, value); }},
}};

// A path as one word of ASCII (RFC 3986, 2.1).
std::string percent_encode(std::string_view bytes) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : bytes) {
    if (kPlain.find(c) != std::string_view::npos) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned char byte = 0;
    const char* const digits = text.data() + i + 1;
    if (text.size() - i < 3 || std::from_chars(digits, digits + 2, byte, 16).ptr != digits + 2)
      return std::nullopt;
    out += static_cast<char>(byte);
    i += 2;
  }
  return out;
}

// `bytes`: of all paths so far.
void take_path(std::string_view value, size_t* bytes, std::vector<std::string>* out) {
  auto path = percent_decode(value);
  if (!path || path->empty() || path->size() > kMaxOperandBytes ||
      path->find('\0') != std::string::npos)
    bad("an operand or name is not a path");
  *bytes += path->size();
  if (out->size() >= kMaxPathComponents || *bytes > 2 * kMaxPathBytes) bad("too many operands");
  out->push_back(std::move(*path));
}

}  // namespace

std::string make_nonce() {
  return random_hex(kNonceDigits / 2);
}

std::string encode_request(const StartRequest& r) {
  std::string named;
  for (const std::string& operand : r.named.operands)
    named.append(kOperand).append(percent_encode(operand)).append("\n");
  for (const std::string& name : r.named.names)
    named.append(kName).append(percent_encode(name)).append("\n");
  std::string out;
  // One allocation: a growing string would leave copies of the key behind.
  out.reserve(kMaxRequestLineBytes + named.size());
  out += kStart;
  out += " " + std::to_string(kStartVersion) + "\nnonce " + r.nonce + "\nkey ";
  std::string key = r.key->text();
  out += key;
  wipe(key);
  out += "\nrole " + name_of(kRoles, r.role);
  out += "\nmode " + name_of(kModes, r.plain);
  out += "\nktls " + name_of(kKtls, r.ktls);
  out += "\nfamily " + name_of(kFamilies, r.family);
  out += "\nports " + std::to_string(r.ports.first) + "-" + std::to_string(r.ports.last);
  out += "\ntimeout " + std::to_string(r.idle.count());
  out += "\nlisten " + name_of(kYesNo, r.listen) + "\n";
  out += named;
  out += "end\n";
  return out;
}

bool RequestReader::take(std::string_view line) {
  const size_t at = lines_++;
  const auto w = words(line, 2);
  if (at == 0) {
    const auto version = number<unsigned>(w.back());
    if (w.size() != 2 || w[0] != kStart || !version) bad("not a request");
    version_ = *version;
    return false;
  }
  if (at > kRequestLines.size()) {
    if (line == "end") return true;
    if (line.starts_with(kOperand))
      take_path(line.substr(kOperand.size()), &named_bytes_, &request_.named.operands);
    else if (line.starts_with(kName))
      take_path(line.substr(kName.size()), &named_bytes_, &request_.named.names);
    else
      bad("the request has no end");
    return false;
  }
  const RequestLine& expected = kRequestLines[at - 1];
  if (w.size() != 2 || w[0] != expected.key) bad("the request lacks " + std::string(expected.key));
  expected.take(request_, w[1]);
  // Only now: with the nonce the other side can be told.
  if (at == 1 && version_ != kStartVersion)
    bad("the other side speaks version " + std::to_string(version_) +
        " of it, this program version " + std::to_string(kStartVersion));
  return false;
}

std::string encode_reply(const StartReply& reply, const std::string& nonce) {
  std::string out =
      "\n" + name_of(kReplies, reply.kind) + " " + std::to_string(kStartVersion) + " " + nonce;
  switch (reply.kind) {
    case StartReply::Kind::Ready:
      out += " " + std::to_string(reply.port) + " " + (reply.server.empty() ? "-" : reply.server);
      break;
    case StartReply::Kind::Error:
      out += " " + std::to_string(static_cast<int>(reply.status)) + " " +
             escape(reply.text, kMaxTextBytes);
      break;
    case StartReply::Kind::Failed:
      out += " " + escape(reply.text, kMaxTextBytes);
      break;
    case StartReply::Kind::Through:
      break;
  }
  return out + "\n";
}

std::optional<StartReply> ReplyScanner::next() {
  for (;;) {
    const size_t end = buffer_.find('\n');
    const size_t length = std::min(end, buffer_.size());
    if (end != std::string::npos) {
      const std::string line = buffer_.substr(0, length);
      buffer_.erase(0, length + 1);
      if (auto reply = parse(line)) return reply;
      noise_bytes_ += length + 1;
      if (!line.empty() && noise_bytes_ <= kMaxNoiseBytes) noise_(line);
    }
    if (noise_bytes_ + buffer_.size() > kMaxNoiseBytes)
      throw Error(ExitStatus::Protocol,
                  "the remote shell prints more than 64 KiB that are not the answer");
    if (end == std::string::npos) return std::nullopt;
  }
}

// Nothing for what is not exactly a reply.
std::optional<StartReply> ReplyScanner::parse(std::string_view line) const {
  const auto w = words(line, 4);
  if (w.size() < 3 || w[2] != nonce_) return std::nullopt;
  const auto kind = find(kReplies, w[0]);
  if (!kind || !number<unsigned>(w[1])) return std::nullopt;
  if (w[1] != std::to_string(kStartVersion))
    throw Error(ExitStatus::Protocol, "the program there speaks version " + std::string(w[1]) +
                                          " of the start by ssh, this one version " +
                                          std::to_string(kStartVersion));
  const std::string_view rest = w.size() == 4 ? w[3] : "";
  const auto fields = words(rest, 2);
  StartReply out{.kind = *kind};
  switch (out.kind) {
    case StartReply::Kind::Ready: {
      const auto port = number<uint16_t>(fields[0]);
      const bool unknown = fields.back() == "-";
      if (!port || fields.size() != 2 || !(unknown || is_address(fields[1]))) return std::nullopt;
      out.port = *port;
      if (!unknown) out.server = fields[1];
      return out;
    }
    case StartReply::Kind::Error: {
      const auto status = number<uint32_t>(fields[0]);
      if (!status || *status == 0 || fields.size() != 2) return std::nullopt;
      out.status = status_from_number(*status).value_or(ExitStatus::Protocol);
      out.text = fields[1];
      return out;
    }
    case StartReply::Kind::Failed:
      out.text = rest;
      return out;
    case StartReply::Kind::Through:
      break;
  }
  return w.size() == 3 ? std::optional(out) : std::nullopt;
}

std::vector<std::string> data_addresses(const std::string& server, std::vector<std::string> of_name,
                                        Family family) {
  constexpr size_t kMost = 4;
  const bool v6 = server.find(':') != std::string::npos;
  const bool usable = !server.empty() && family != (v6 ? Family::V4 : Family::V6);
  const bool expected = of_name.empty()
                            ? is_ordinary(server)
                            : std::find(of_name.begin(), of_name.end(), server) != of_name.end();
  // Where ssh came in is where its host name leads to: there is nothing else to try.
  if (usable && expected) return {server};
  of_name.resize(std::min(of_name.size(), kMost));
  return of_name;
}

std::string encode_command(StartCommand port) {
  return port ? "back " + std::to_string(*port) + "\n" : "through\n";
}

StartCommand decode_command(std::string_view line) {
  if (line == "through") return std::nullopt;
  const auto w = words(line, 2);
  const auto port = number<uint16_t>(w.back());
  if (w[0] != "back" || port.value_or(0) == 0) bad("an unknown command");
  return port;
}

std::string ssh_connection_address(const char* ssh_connection, bool server) {
  if (ssh_connection == nullptr) return "";
  const auto w = words(ssh_connection, 4);
  const std::string_view address = w.size() == 4 ? w[server ? 2 : 0] : "";
  return is_address(address) ? std::string(address) : "";
}

}  // namespace zx
