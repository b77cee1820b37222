// SPDX-License-Identifier: MIT
// Joiner: further connections of a session that is already authenticated. The side that connected
// first connects again, to the same address; the other listens again on the same port. Each has a
// TLS handshake of its own under a key that only the two ends of the first connection have (a TLS
// exporter, RFC 8446, 7.5), in certificate mode too; then JOIN both ways says which session it is.
#pragma once

#include <memory>
#include <optional>

#include "common/session/handshake.h"
#include "common/wire/message.h"

namespace zx {

class Joiner {
 public:
  /// For the connector: where the first connection went. `security`: that of the first connection.
  Joiner(HostPort address, Role role, const Security& security, const Handshaken& first,
         std::chrono::seconds idle);
  /// For the listener, whose socket is refusing until it is needed.
  Joiner(Listener listener, Role role, const Security& security, const Handshaken& first,
         std::chrono::seconds idle);

  void set_session(const SessionId& session) { session_ = session; }

  /// A listener listens again: before the peer is told to connect, so that it is never refused.
  void prepare();
  /// After prepare(): the connection of this index, whichever side makes it. Blocking, up to the
  /// idle time-out; strangers who reach the listener meanwhile are dropped. Throws
  /// Error{Network|Timeout|Auth}.
  std::unique_ptr<Channel> join(uint32_t index);

 private:
  std::unique_ptr<Channel> connect(uint32_t index, Clock::time_point give_up);
  std::unique_ptr<Channel> accept(uint32_t index, Clock::time_point give_up);
  std::unique_ptr<Channel> exchange_join(Handshaken h, uint32_t index, bool connector);

  std::optional<HostPort> address_;
  std::optional<Listener> listener_;
  Role role_;
  Security security_;
  SessionId session_{};
  std::chrono::seconds idle_;
};

}  // namespace zx
