// SPDX-License-Identifier: MIT
// Session: connect or listen, authenticate, exchange HELLO and WELCOME. What comes out is a Link
// and the terms both sides agreed on; nothing about them changes afterwards.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/session/handshake.h"
#include "common/session/joiner.h"
#include "common/session/link.h"
#include "common/session/start_dialogue.h"

namespace zx {

/// How to reach the peer. Exactly one of connect_to and listen_on is set.
struct Rendezvous {
  std::optional<HostPort> connect_to, listen_on;
  Family family = Family::Any;
  std::optional<std::chrono::seconds> wait;  // connecting: keep trying; listening: give up after
  std::chrono::seconds idle{60};             // --timeout
};

/// The agreed terms. Made by agree(), the same on both sides but for overwrite_here and _peer.
struct Negotiated {
  uint32_t block_bytes = 0;
  Durability durability = Durability::Batch;
  bool file_digest = false;
  bool preserve = false;  // asked for by either side: keep times
  bool no_target_directory = false;
  bool path_is_directory = false;
  bool to_stream = false;  // the receiver hands the content on: nothing of it can be durable
  Overwrite overwrite_here = Overwrite::Unset, overwrite_peer = Overwrite::Unset;
  uint16_t streams = 0;           // the smaller wish for connections; 0: no wish
  uint32_t sources = 0;           // entries the sender means to send
  uint64_t rate_limit = 0;        // bytes/s from the sender, all connections together; 0: none
  std::vector<std::string> path;  // where, below the listener's root
  std::optional<Named> named;     // as Met has it
  std::string peer_build;         // unquoted
};

/// Pure: what follows from both sides' terms. A wish may tighten the other side's, never loosen it.
Negotiated agree(const Terms& mine, const Terms& peers);

/// The first connection of a session, authenticated, and how further ones come about.
struct Met {
  // What has to last as long as the session, and ends after its connections: so it comes first.
  std::shared_ptr<void> keep = nullptr;
  Handshaken first;
  std::unique_ptr<Joiner> joiner;   // none through ssh: there are no further connections
  bool connector = false;           // this side made the connection
  std::optional<Named> named = {};  // of a session that was started by ssh, at both ends
};

class Session {
 public:
  /// role: this side's.
  Session(Met met, Role role, const Security& security);

  Link& link() { return *link_; }
  /// For further connections beside this one (session/stream_set.h). Throws Error{Protocol} where
  /// there cannot be any.
  Joiner& joiner();
  const Negotiated& agreed() const { return agreed_; }

  /// Agrees on the terms. Throws Error{Protocol} for required features this version does not know.
  void exchange_terms(Terms terms);

  /// True when the key of the present connection has protected as much as it should: before the
  /// next block comes switch_connection().
  /// Never with ChaCha20-Poly1305 and in plain mode.
  bool key_is_worn() const { return link_->sent_bytes() >= key_limit_bytes_; }
  /// What one key may protect in this session, in bytes.
  uint64_t key_limit_bytes() const { return key_limit_bytes_; }
  /// Goes on over a new connection, between two frames: SWITCH both ways on the old one, which is
  /// then read to its end, JOIN on the new one. `first`: this side begins (a sender whose key is
  /// worn); else it answers the peer's SWITCH. Returns what the peer said between this side's
  /// SWITCH and its own, to be dealt with now. References to the channel end. Blocking. Throws
  /// Error.
  std::vector<Frame> switch_connection(bool first);
  /// So many connections share the rate limit from here on; the first one is told at once.
  void share_rate(unsigned streams);
  /// Its share of the rate limit, if there is one, for a connection of this session.
  void limit_rate(Socket& socket) const;

 private:
  Role role_;
  bool connector_;
  std::shared_ptr<void> keep_;  // before the link: it goes last
  std::unique_ptr<Link> link_;
  std::unique_ptr<Joiner> joiner_;
  Negotiated agreed_;
  PrefaceBytes connector_preface_{}, listener_preface_{};
  uint64_t key_limit_bytes_ = UINT64_MAX;
  uint32_t joined_ = 0;
  unsigned streams_ = 1;
};

/// Called once when the listener is ready, with the port in use.
using ListeningFn = std::function<void(uint16_t port)>;

/// Blocking. `terms`: what this side wants; prefaces and session id are filled in here. Throws as
/// the handshakes and exchange_terms() do.
Session open_session(const Rendezvous& rendezvous, Role role, const Security& security, Terms terms,
                     const ListeningFn& on_listening);

/// Who connected to a listener has authenticated: nobody else is wanted there now.
Met met_as_listener(Listener listener, Handshaken h, Role role, const Security& security,
                    std::chrono::seconds idle);
Met met_as_connector(Handshaken h, Role role, const Security& security, std::chrono::seconds idle);

}  // namespace zx
