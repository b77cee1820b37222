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

/// After a connection that is lost so soon there is a pause (kRetryPause) before the next one.
constexpr std::chrono::seconds kShortLived{1};

/// Of a connector, for one further or later connection: after it somebody looks whether there is
/// any sense in another attempt.
constexpr std::chrono::seconds kAttemptLimit{5};

class Connections {
 public:
  /// arrivals: of the listener. A connector comes back to the address that answered.
  Connections(const Side& side, const Handshaken& first,
              std::unique_ptr<Arrivals> arrivals = nullptr);

  /// From here on the first connection, over this socket, is in use and can be made again.
  void open(const SessionId& session, const Socket& first);
  /// Of a listener whose peer was lost before both had agreed: waits for somebody who begins anew,
  /// or until it joins (nothing). Throws Error{Timeout}.
  std::optional<Handshaken> await_again(Clock::time_point give_up);
  /// For another session; nothing for a connector.
  std::unique_ptr<Arrivals> take_arrivals() {
    if (arrivals_) arrivals_->refuse_joins();
    return std::move(arrivals_);
  }
  /// How many connections there may be, the first one included.
  void allow(uint16_t streams);

  /// What a side has taken of the first connection; zeros for a further one. See Join.
  struct Counts {
    uint64_t taken = 0, acks = 0;
  };
  struct Joined {
    std::unique_ptr<Channel> channel;
    Counts peers;
  };
  /// The next connection of this number, whichever side makes it. Blocking, up to give_up; a
  /// connector tries again what may pass. Throws Error{Network|Timeout|Auth|Protocol|Refused}, and
  /// what check_stop() throws. It is in use from the beginning, until the next one of its number,
  /// or forget(): whoever joins under it, and evict(), shut the socket down.
  Joined next(uint16_t stream, const Counts& mine, Clock::time_point give_up);
  void forget(uint16_t stream);
  /// Ends the connection that this number has now (shutdown(2)): its thread finds it lost.
  void evict(uint16_t stream) { fence(stream, UINT32_MAX); }

 private:
  void in_use(uint16_t stream, uint32_t generation, const Socket& socket);
  void fence(uint16_t stream, uint32_t generation);
  Joined connect(uint16_t stream, const Counts& counts, Clock::time_point give_up);
  Joined accept(uint16_t stream, const Counts& counts, Clock::time_point give_up);
  Joined join(std::unique_ptr<Channel> channel, const Join& mine, std::optional<Join> theirs);

  const Role role_;
  const Security security_;
  const std::chrono::milliseconds idle_;
  const HostPort address_;  // of the listener
  SessionId session_{};

  std::mutex mutex_;
  struct Stream {
    uint32_t generation = 0;  // of the connector: attempts so far
    int fd = -1;              // in use, not owned; -1: none
  };
  std::map<uint16_t, Stream> streams_;
  // Last: its threads call fence().
  std::unique_ptr<Arrivals> arrivals_;
};

}  // namespace zx
