// SPDX-License-Identifier: MIT
// Joiner: further connections of a session that is already authenticated. The side that connected
// first connects again, to the same address; the other listens again on the same port. Each has a
// TLS handshake of its own under a key that only the two ends of the first connection have (a TLS
// exporter, RFC 8446, 7.5), in certificate mode too; then JOIN both ways says which session and
// which connection of it (join_index()) this is. Thread-safe.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "common/session/handshake.h"
#include "common/session/lobby.h"
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

  /// Before the first prepare().
  void set_session(const SessionId& session) { session_ = session; }

  /// A listener listens again, for this connection: before the peer is told to connect, so that it
  /// is never refused.
  void prepare(uint32_t index);
  /// After prepare(): the connection of this index, whichever side makes it. Blocking, up to
  /// `limit`; strangers who reach the listener meanwhile are dropped, silent ones without delay,
  /// the rest after 3 s. `insist`: a connector tries again what may pass. Throws
  /// Error{Network|Timeout|Auth|Protocol|Refused}.
  std::unique_ptr<Channel> join(uint32_t index, std::chrono::seconds limit, bool insist);

 private:
  struct Joined {
    uint32_t index = 0;
    std::unique_ptr<Channel> channel;
  };

  std::unique_ptr<Channel> connect(uint32_t index, Clock::time_point give_up, bool insist) const;
  std::unique_ptr<Channel> accept(uint32_t index, Clock::time_point give_up);
  std::optional<Joined> accept_one(Clock::time_point give_up);
  Joined answer_join(Handshaken h);
  bool expects(uint32_t index);
  void forget(uint32_t index);

  const std::optional<HostPort> address_;
  std::optional<Listener> listener_;
  const Role role_;
  const Security security_;
  SessionId session_{};
  const std::chrono::seconds idle_;

  // Of a listener: whoever waits first accepts for all, and hands over what is for another.
  std::mutex mutex_;
  std::condition_variable changed_;
  bool accepting_ = false;
  Lobby lobby_;  // of the accepting thread
  std::set<uint32_t> expected_;
  std::map<uint32_t, std::unique_ptr<Channel>> arrived_;
};

}  // namespace zx
