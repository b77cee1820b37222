// SPDX-License-Identifier: MIT
#include "common/session/handshake.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/random.h"
#include "common/wire/codec.h"

namespace zx {
namespace {

constexpr size_t kNonceBytes = 32, kMacBytes = 32, kMagicBytes = 8;
// How long a refused peer may take to read the refusal.
constexpr std::chrono::milliseconds kFarewell{500};

Role other(Role role) {
  return role == Role::Sender ? Role::Receiver : Role::Sender;
}

Preface my_preface(Role role, const Security& security) {
  Preface p;
  p.mode = security.mode;
  p.role = role;
  p.no_auth = security.no_auth;
  p.join = security.join;
  p.suites = security.mode == Mode::Plain ? 0 : security.suites;
  fill_random(p.random);
  return p;
}

const char* security_text(Mode mode) {
  switch (mode) {
    case Mode::Plain:
      return "has --plain";
    case Mode::TlsCert:
      return "asks for certificates";
    case Mode::TlsPsk:
      break;
  }
  return "asks for encryption";
}

// One wording for both sides; "this side" is the program that prints it.
Error refusal(PrefaceCode code, const std::string& peer, Mode mine, Mode theirs, Role role,
              bool no_auth) {
  switch (code) {
    case PrefaceCode::WrongMode: {
      const bool plain = mine == Mode::Plain || theirs == Mode::Plain;
      return {ExitStatus::Refused,
              peer + ": refused: this side " + security_text(mine) + ", the peer " +
                  security_text(theirs) + " (" +
                  (plain ? "plaintext needs --plain" : "certificates need --tls-cert") +
                  " on both ends)"};
    }
    case PrefaceCode::WrongAuth:
      return {ExitStatus::Refused,
              peer + ": refused: " + (no_auth ? "only this side" : "only the peer") +
                  " has --no-auth (it needs to be on both ends)"};
    case PrefaceCode::SameRole:
      return {ExitStatus::Protocol, peer + ": the peer is a " + role_name(role) +
                                        " too: one side must be zsend, the other zrecv"};
    case PrefaceCode::NoCommonSuite:
      return {ExitStatus::Auth, peer + ": no common TLS cipher suite"};
    case PrefaceCode::NoCommonVersion:
      return {ExitStatus::Protocol, peer + ": no common protocol version (this side has version " +
                                        std::to_string(kProtocolVersion) + ")"};
    case PrefaceCode::Busy:
    case PrefaceCode::Accepted:
      break;
  }
  return {ExitStatus::Network, peer + ": another transfer has it"};
}

// --- plain mode: who are you

constexpr std::string_view kConnectorLabel = "zxfer/1 connector";
constexpr std::string_view kListenerLabel = "zxfer/1 listener";

using Mac = std::array<std::byte, kMacBytes>;

Mac hmac_sha256(std::span<const std::byte> key, ByteView message) {
  Mac mac{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(),
       reinterpret_cast<unsigned char*>(mac.data()), &size);
  return mac;
}

// Each proves by a MAC over its label, both prefaces and both nonces that it has the key.
void challenge(const Handshaken& h, const Key& key, Role connector_role, bool listener) {
  Channel& channel = *h.channel;
  std::array<std::byte, kNonceBytes> mine{}, theirs{};
  Mac their_mac{};
  fill_random(mine);
  const auto mac_of = [&](std::string_view label) {
    Encoder e;
    Prefaces prefaces = h.prefaces;
    e.text("label", label);
    prefaces.fields(e);
    e.raw(listener ? theirs : mine);
    e.raw(listener ? mine : theirs);
    auto mac_key = key.derive("plain-auth", connector_role);
    const Defer wiper([&] { wipe(mac_key); });
    return hmac_sha256(mac_key, e.so_far());
  };
  if (listener) {
    channel.recv_exact(theirs);
    channel.send(mine, More::Yes);
    channel.send(mac_of(kListenerLabel), More::No);
    channel.recv_exact(their_mac);
  } else {
    channel.send(mine, More::No);
    channel.recv_exact(theirs);
    channel.recv_exact(their_mac);
    // Sent even when theirs is wrong: the listener then fails for the same reason as this side.
    channel.send(mac_of(kConnectorLabel), More::No);
  }
  const Mac expected = mac_of(listener ? kConnectorLabel : kListenerLabel);
  if (CRYPTO_memcmp(their_mac.data(), expected.data(), kMacBytes) != 0)
    throw Error(ExitStatus::Auth,
                channel.socket().peer() + ": not authenticated: the peer has another key");
}

// From an accepted preface to a channel, for both roles.
void authenticate(Socket socket, uint8_t suite, bool listener, Role connector_role,
                  const Security& security, Handshaken* h) {
  if (security.mode == Mode::Plain) {
    h->channel = make_plain_channel(std::move(socket));
    if (!security.no_auth) challenge(*h, *security.key, connector_role, listener);
    return;
  }
  h->suite = suite;
  TlsConnection connection = tls_handshake(
      std::move(socket),
      {.suite = suite,
       .listener = listener,
       .connector_role = connector_role,
       .ktls = security.ktls,
       .key = security.mode == Mode::TlsPsk ? &*security.key : nullptr,
       .certificates = security.mode == Mode::TlsCert ? &*security.certificates : nullptr,
       .host = security.host});
  h->channel = std::move(connection.channel);
  h->join_key = connection.join_key;
}

PrefaceCode judge(const Preface& request, const Preface& mine) {
  if (request.lowest_version > kProtocolVersion || request.highest_version < kProtocolVersion)
    return PrefaceCode::NoCommonVersion;
  if (request.role == mine.role) return PrefaceCode::SameRole;
  if (request.mode != mine.mode) return PrefaceCode::WrongMode;
  if (request.no_auth != mine.no_auth) return PrefaceCode::WrongAuth;
  if (mine.mode != Mode::Plain && choose_suite(request.suites, mine.suites) == 0)
    return PrefaceCode::NoCommonSuite;
  return PrefaceCode::Accepted;
}

void recv_exact(Socket& socket, std::span<std::byte> out) {
  while (!out.empty()) {
    const size_t n = socket.recv_some(out);
    if (n == 0)
      throw Error(ExitStatus::Network,
                  socket.peer() + ": the connection ended during the handshake");
    out = out.subspan(n);
  }
}

}  // namespace

Handshaken connector_handshake(Socket socket, Role role, const Security& security,
                               Clock::time_point give_up) {
  socket.set_deadline(std::min(give_up, Clock::now() + kHandshakeLimit));
  const std::string peer = socket.peer();
  Handshaken h;
  const Preface request = my_preface(role, security);
  h.prefaces.connector = encode_preface(request);
  socket.send_all(h.prefaces.connector, More::No);

  recv_exact(socket, h.prefaces.listener);
  const Preface answer = decode_preface(h.prefaces.listener);
  if (answer.code != PrefaceCode::Accepted)
    throw refusal(answer.code, peer, request.mode, answer.mode, role, request.no_auth);
  const bool one_suite = answer.suites != 0 && (answer.suites & (answer.suites - 1)) == 0 &&
                         (answer.suites & request.suites) != 0;
  const bool suite_fits = request.mode == Mode::Plain ? answer.suites == 0 : one_suite;
  if (answer.role != other(role) || answer.mode != request.mode ||
      answer.no_auth != request.no_auth || answer.join != request.join ||
      answer.lowest_version != kProtocolVersion || answer.highest_version != kProtocolVersion ||
      !suite_fits)
    throw Error(ExitStatus::Protocol, peer + ": the answer does not fit what was asked");

  authenticate(std::move(socket), answer.suites, /*listener=*/false, role, security, &h);
  return h;
}

std::optional<Handshaken> listener_handshake(Socket socket, Role role, const ChooseSecurity& choose,
                                             Clock::time_point give_up) {
  socket.set_deadline(std::min(give_up, Clock::now() + kHandshakeLimit));
  const std::string peer = socket.peer();
  Handshaken h;
  size_t have = 0;
  try {
    have = socket.recv_some(std::span(h.prefaces.connector).first(kMagicBytes));
  } catch (const Error& e) {
    if (e.status() != ExitStatus::Network && e.status() != ExitStatus::Timeout) throw;
    return std::nullopt;
  }
  if (have == 0) return std::nullopt;
  // Judged by its first bytes: a peer of another protocol may be waiting for us to speak.
  static constexpr std::byte kFirst{0x89};
  if (h.prefaces.connector[0] == kFirst)
    recv_exact(socket, std::span(h.prefaces.connector).subspan(have));
  Preface request;
  try {
    request = decode_preface(h.prefaces.connector);
  } catch (const Error&) {
    // A close with unread input would be a reset; whoever this is shall see an end.
    socket.shutdown_send();
    socket.drain(kFarewell);
    throw;
  }

  h.joins = request.join;
  const std::optional<Security> wanted = choose(request.join);
  const Security security = wanted.value_or(Security{});
  Preface answer = my_preface(role, security);
  answer.join = request.join;
  answer.code = wanted ? judge(request, answer) : PrefaceCode::Busy;
  answer.suites = choose_suite(request.suites, answer.suites);
  h.prefaces.listener = encode_preface(answer);
  socket.send_all(h.prefaces.listener, More::No);
  if (answer.code != PrefaceCode::Accepted) {
    socket.shutdown_send();
    socket.drain(kFarewell);
    throw refusal(answer.code, peer, answer.mode, request.mode, role, answer.no_auth);
  }

  authenticate(std::move(socket), answer.suites, /*listener=*/true, other(role), security, &h);
  return h;
}

}  // namespace zx
