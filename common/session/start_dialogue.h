// SPDX-License-Identifier: MIT
// What two programs say over ssh before their session: lines of text, all of them here, encoded and
// decoded. Pure. The format is in zsend-protocol(7), START BY SSH. A request and commands go to the
// program that ssh has started; replies come back, perhaps among output of the remote shell.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/exit_status.h"
#include "common/net/endpoint.h"
#include "common/net/key.h"
#include "common/net/ktls.h"
#include "common/net/tcp.h"
#include "common/wire/limits.h"
#include "common/wire/preface.h"

namespace zx {

constexpr unsigned kStartVersion = 2;
/// One line of a request or command: the longest operand fits, with every byte escaped.
constexpr size_t kMaxRequestLineBytes = 3 * kMaxOperandBytes + 16;
/// What is not a reply: the output of start-up files.
constexpr size_t kMaxNoiseBytes = 64 << 10;

/// What the operator named on the one command line. It travels over ssh and nowhere else: the
/// connection of the session may be plain, and whoever can change it must not choose files. Each
/// list has at most kMaxPathComponents items, both together 2 * kMaxPathBytes.
struct Named {
  std::vector<std::string> operands =
      {};                               // paths at the other end: sources, or the one destination
  std::vector<std::string> names = {};  // of the entries of a plain session that sends, in order
};

struct StartRequest {
  std::string nonce = {};       // 32 hex digits, repeated in every reply
  std::optional<Key> key = {};  // of this one session; always there in what was read
  Role role{};                  // of the side that asks
  bool plain = false;
  Ktls ktls = Ktls::Auto;
  Family family = Family::Any;
  PortRange ports = {};
  std::chrono::seconds idle{60};
  bool listen = true;  // false: the session comes through ssh at once
  Named named = {};
};

/// 16 random bytes in hex.
std::string make_nonce();

/// The caller wipes it: the key is in it.
std::string encode_request(const StartRequest& request);

/// Reads a request line by line, so that the nonce is known before anything else can fail.
class RequestReader {
 public:
  /// One line without its end. True with the last one. Throws Error{Protocol}.
  bool take(std::string_view line);
  /// "" until it is known.
  const std::string& nonce() const { return request_.nonce; }
  /// After the last line.
  const StartRequest& request() const { return request_; }

 private:
  size_t lines_ = 0, named_bytes_ = 0;
  unsigned version_ = 0;
  StartRequest request_;
};

struct StartReply {
  enum class Kind { Ready, Error, Failed, Through };
  Kind kind{};
  uint16_t port = 0;        // Ready: of the listener; 0: there is none
  std::string server = {};  // Ready: that end's address of the ssh connection, numeric; "" unknown
  ExitStatus status{};      // Error
  std::string text = {};    // Error, Failed: escaped by the peer; to be quoted all the same
};

/// With its line end, and one before it: start-up files may leave a line open.
std::string encode_reply(const StartReply& reply, const std::string& nonce);

/// Finds replies in what comes out of ssh. A reply is a whole line, exactly, with our nonce;
/// anything else is noise.
class ReplyScanner {
 public:
  using Noise = std::function<void(std::string_view line)>;
  ReplyScanner(std::string nonce, Noise noise)
      : nonce_(std::move(nonce)), noise_(std::move(noise)) {}

  /// Takes what has come.
  void feed(std::string_view bytes) { buffer_ += bytes; }
  /// The next reply in it, nothing when there is none yet. Throws Error{Protocol} for a reply of
  /// another version and for too much noise.
  std::optional<StartReply> next();

 private:
  std::optional<StartReply> parse(std::string_view line) const;

  const std::string nonce_;
  const Noise noise_;
  std::string buffer_;
  size_t noise_bytes_ = 0;
};

/// Where the data's connection is tried, in order, at most four: `server`, as "ready" has it, only
/// where it is an address of the host's name, and else those. The other end may be hostile: it must
/// not send us anywhere, this machine and its neighbours least of all. Where no address of the name
/// is known (a jump host knows it), `server` is tried unless it is a loopback, link-local,
/// unspecified or multicast address.
std::vector<std::string> data_addresses(const std::string& server, std::vector<std::string> of_name,
                                        Family family);

/// What the asking side wants next: to be connected to on this port, or (nothing) to go through
/// ssh. Without a command it connects to the listener.
using StartCommand = std::optional<uint16_t>;
std::string encode_command(StartCommand port);
/// One line without its end. Throws Error{Protocol}.
StartCommand decode_command(std::string_view line);

/// One address out of SSH_CONNECTION ("client port server port"), numeric; "" when it is not there.
std::string ssh_connection_address(const char* ssh_connection, bool server);

}  // namespace zx
