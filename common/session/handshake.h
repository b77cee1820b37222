// SPDX-License-Identifier: MIT
// From a connected socket to an authenticated channel: preface, then TLS or the plain-mode
// challenge. Both roles side by side. A mode is never negotiated down: what was asked is done or
// refused.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/net/channel.h"
#include "common/net/key.h"
#include "common/net/tls.h"
#include "common/session/notices.h"
#include "common/wire/preface.h"

namespace zx {

/// One AES-GCM key is good for 2^24.5 full records, 362 GiB (RFC 8446, 5.5; what counts is the
/// number of AES blocks, so shorter records do not use it up faster). This leaves room for the
/// block under way.
constexpr uint64_t kKeyLimitBytes = uint64_t{255} << 30;

/// What this side insists on.
struct Security {
  Mode mode = Mode::TlsPsk;
  bool no_auth = false;    // only with Mode::Plain
  std::optional<Key> key;  // present in Mode::TlsPsk, and in Mode::Plain unless no_auth
  std::optional<CertificateFiles> certificates;  // present in Mode::TlsCert
  std::string host;    // Mode::TlsCert, connector: whom the listener's certificate must be for
  uint8_t suites = 0;  // the TLS suites this side takes, as preface bits
  // Bytes after which a connection under AES-GCM is replaced, at the next block.
  uint64_t key_limit_bytes = kKeyLimitBytes;
  Ktls ktls = Ktls::Auto;
  bool join = false;  // for a further connection of a session
};

/// This end of a session.
struct Side {
  Role role{};
  Security security;
  std::chrono::seconds timeout{60};  // --timeout
  Notices& notices;                  // outlives the session
};

struct Handshaken {
  std::unique_ptr<Channel> channel;
  Prefaces prefaces;
  uint8_t suite = 0;            // the one in use, as a preface bit; 0 in Mode::Plain
  bool joins = false;           // it wants to join a session
  std::optional<Key> join_key;  // for further connections of the session; not in Mode::Plain
};

/// Longest time from connection to authenticated, however busy the peer is.
constexpr std::chrono::seconds kHandshakeLimit{10};

/// Throws Error{Auth} (no, wrong or unused key), Error{Refused} (one side is plain, the other not),
/// Error{Protocol} (not our protocol, no common version, same role), Error{Network|Timeout} (also
/// when the peer has another session). The peer has been told, by the answer or an alert. Ends at
/// give_up at the latest. The socket's deadline stays set.
Handshaken connector_handshake(Socket socket, Role role, const Security& security,
                               Clock::time_point give_up = Clock::time_point::max());

/// What a listener insists on from who wants to join a session (true), or to begin one; nothing
/// when it wants no such connection now: it says that it is busy.
using ChooseSecurity = std::function<std::optional<Security>(bool join)>;

/// The same for the listener. Nothing when the peer left, or was silent for the whole limit,
/// without a single byte: a port scan or health check, not a transfer that failed. Ends at give_up
/// at the latest.
std::optional<Handshaken> listener_handshake(Socket socket, Role role, const ChooseSecurity& choose,
                                             Clock::time_point give_up);

}  // namespace zx
