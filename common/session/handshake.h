// SPDX-License-Identifier: MIT
// From a connected socket to an authenticated channel: preface, then TLS or the plain-mode
// challenge. Both roles side by side. A mode is never negotiated down: what was asked is done or
// refused.
#pragma once

#include <memory>
#include <optional>

#include "common/net/channel.h"
#include "common/net/key.h"
#include "common/wire/preface.h"

namespace zx {

/// What this side insists on.
struct Security {
  Mode mode = Mode::TlsPsk;
  bool no_auth = false;    // only with Mode::Plain
  std::optional<Key> key;  // present unless no_auth
};

struct Handshaken {
  std::unique_ptr<Channel> channel;
  PrefaceBytes connector_preface{}, listener_preface{};
};

/// Longest time from connection to authenticated, however busy the peer is.
constexpr std::chrono::seconds kHandshakeLimit{10};

/// Throws Error{Auth} (no, wrong or unused key), Error{Refused} (one side is plain, the other not),
/// Error{Protocol} (not our protocol, no common version, same role), Error{Network|Timeout}. The
/// peer has been told, by the answer or an alert. The socket's deadline stays set.
Handshaken connector_handshake(Socket socket, Role role, const Security& security);

/// The same for the listener. Nothing when the peer left, or was silent for the whole limit,
/// without a single byte: a port scan or health check, not a transfer that failed. Ends at give_up
/// at the latest.
std::optional<Handshaken> listener_handshake(Socket socket, Role role, const Security& security,
                                             Clock::time_point give_up);

}  // namespace zx
