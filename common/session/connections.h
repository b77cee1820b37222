// SPDX-License-Identifier: MIT
// Connections: every connection of a session after its first one: further ones that carry blocks,
// and those that replace a lost or worn one. The side that connected first connects again, to the
// same address; the other listens during the whole session (arrivals.h). Each has a TLS handshake
// of its own under a key that only the two ends of the first connection have (a TLS exporter, RFC
// 8446, 7.5), in certificate mode too; then JOIN both ways says which connection of the session it
// is. Whoever proves to be the other end fences what this side still has for the same number: the
// old connection is shut down, whoever has noticed its loss first. Thread-safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "common/session/arrivals.h"
#include "common/session/handshake.h"
#include "common/wire/message.h"

namespace zx {

class Connections {
 public:
  /// For the connector: where the first connection went. `idle`: of the sockets.
  Connections(HostPort address, Role role, const Security& security, const Handshaken& first,
              std::chrono::milliseconds idle);
  /// For the listener.
  Connections(std::unique_ptr<Arrivals> arrivals, Role role, const Security& security,
              const Handshaken& first, std::chrono::milliseconds idle);

  /// From here on the first connection can be made again.
  void open(const SessionId& session);
  /// Of a listener whose peer was lost before both had agreed: waits until it joins (true), or
  /// somebody begins anew, who is left in *again. Throws Error{Timeout}.
  bool await_join(Clock::time_point give_up, std::optional<Handshaken>* again);
  /// Nothing for a connector.
  std::unique_ptr<Arrivals> take_arrivals() { return std::move(arrivals_); }
  /// How many connections there may be, the first one included.
  void allow(uint16_t streams);

  struct Joined {
    std::unique_ptr<Channel> channel;
    uint64_t peer_has_taken = 0;
  };
  /// The next connection of this number, whichever side makes it. `taken`: counted messages that
  /// this side has taken (stream 0). Blocking, up to give_up; a connector tries again what may
  /// pass. Throws Error{Network|Timeout|Auth|Protocol|Refused}, and what check_stop() throws.
  Joined next(uint16_t stream, uint64_t taken, Clock::time_point give_up);

  /// The first connection of all is in use. Those that next() returns are so from the beginning,
  /// until the next one of their number, or forget(): whoever joins under it, and evict(), shut the
  /// socket down.
  void in_use(const Socket& socket) { in_use(0, 0, socket); }
  void forget(uint16_t stream);
  /// Ends the connection that this number has now (shutdown(2)): its thread finds it lost.
  void evict(uint16_t stream) { fence(stream, UINT32_MAX); }

 private:
  void in_use(uint16_t stream, uint32_t generation, const Socket& socket);
  void fence(uint16_t stream, uint32_t generation);
  Joined connect(uint16_t stream, uint64_t taken, Clock::time_point give_up);
  Joined accept(uint16_t stream, uint64_t taken, Clock::time_point give_up);

  const std::optional<HostPort> address_;
  const Role role_;
  const Security security_;
  const std::chrono::milliseconds idle_;
  SessionId session_{};

  std::mutex mutex_;
  std::map<uint16_t, uint32_t> generations_;  // of the connector: attempts so far
  struct InUse {
    uint32_t generation = 0;
    int fd = -1;  // not owned
  };
  std::map<uint16_t, InUse> sockets_;
  // Last: its threads call evict().
  std::unique_ptr<Arrivals> arrivals_;
};

}  // namespace zx
