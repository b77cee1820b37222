// SPDX-License-Identifier: MIT
// Session: one transfer between two programs, over however many connections it takes. Comes from a
// first connection that is authenticated; agrees on the terms, which do not change afterwards;
// makes the first connection again when it is lost or its key is worn. What goes over it is the
// business of zsend/entry_sender.h and zrecv/entry_receiver.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "common/session/connections.h"
#include "common/session/handshake.h"
#include "common/session/link.h"
#include "common/session/notices.h"
#include "common/session/start_dialogue.h"

namespace zx {

/// How to reach the peer. Exactly one of connect_to and listen_on is set.
struct Rendezvous {
  std::optional<HostPort> connect_to, listen_on;
  Family family = Family::Any;
  std::optional<std::chrono::seconds> wait;  // connecting: keep trying; listening: give up after
  std::chrono::seconds timeout{60};          // --timeout
};

/// The agreed terms. Made by agree(), the same on both sides but for overwrite_here and _peer.
struct Negotiated {
  uint32_t block_bytes = 0;
  Durability durability = Durability::Batch;
  bool file_digest = false;
  bool preserve = false;  // asked for by either side: keep times
  bool mkdir = false;     // by either side: make a destination directory that is missing
  bool no_target_directory = false;
  bool path_is_directory = false;
  bool to_pipe = false;  // the receiver hands the content on: nothing of it can be durable
  bool several = false;  // more than one entry may come
  Overwrite overwrite_here = Overwrite::Unset, overwrite_peer = Overwrite::Unset;
  uint16_t streams = 0;     // the smaller wish for connections; 0: no wish
  uint64_t rate_limit = 0;  // bytes/s from the sender, all connections together; 0: none
  std::chrono::milliseconds silence{};  // who says nothing for so long is lost
  std::vector<std::string> path;        // where, below the listener's root
  std::optional<Named> named;           // of a session that was started by ssh
  std::string peer_build;               // unquoted
};

/// Pure: what follows from both sides' terms. A wish may tighten the other side's, never loosen it.
Negotiated agree(const Terms& mine, const Terms& peers);

/// A quarter of the time-out, 15 s at most: what is left of it is for making the connection again.
std::chrono::milliseconds silence_limit(std::chrono::seconds timeout);

/// The first connection of a session, authenticated, and how later ones come about.
struct FirstConnection {
  // What has to last as long as the session, and ends after its connections: so it comes first.
  std::shared_ptr<void> keep = nullptr;
  Handshaken first;
  std::unique_ptr<Connections> connections;  // none through ssh: there is only this one
  bool connector = false;                    // this side made the connection
  // Readable when the peer cannot come any more: the end of what ssh has brought. Not owned.
  int lifeline = -1;
  std::optional<Named> named = {};  // of a session that was started by ssh, at both ends
};
FirstConnection first_as_listener(std::unique_ptr<Arrivals> arrivals, Handshaken h, Role role,
                                  const Security& security, std::chrono::seconds timeout);
FirstConnection first_as_connector(Handshaken h, Role role, const Security& security,
                                   std::chrono::seconds timeout);

/// Connects or listens, and authenticates. Blocking. Throws as the handshakes do.
FirstConnection meet(const Rendezvous& rendezvous, Role role, const Security& security,
                     Notices& notices);

/// A connection that is gone, or as good as gone: to be made again. Not what the peer says of it.
bool is_lost_connection(const Error& error);

class Session;

/// A session over a first connection, and if need be over the one that the peer makes anew because
/// it was lost before both had agreed. Blocking. Throws as Session::exchange_terms() does.
std::unique_ptr<Session> open_session(FirstConnection first, Role role, const Security& security,
                                      std::chrono::seconds timeout, const Terms& terms,
                                      Notices& notices);

class Session {
 public:
  /// role: this side's. `notices` must outlive it.
  Session(FirstConnection first, Role role, const Security& security, std::chrono::seconds timeout,
          Notices& notices);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Link& link() { return *link_; }
  /// For further connections beside the first. Throws Error{Protocol} where there cannot be any.
  Connections& connections();
  const Negotiated& agreed() const { return agreed_; }
  std::chrono::seconds timeout() const { return timeout_; }

  /// Agrees on the terms. Nothing, or, of a listener whose connector was lost before it knew that
  /// both have agreed, and began anew: its new first connection, for another Session. Throws
  /// Error{Protocol} for required features this version does not know.
  std::optional<Handshaken> exchange_terms(Terms terms);
  /// After that.
  std::unique_ptr<Arrivals> take_arrivals() { return connections_->take_arrivals(); }

  /// After the first connection was lost with this error: makes it again, until --timeout has
  /// passed without one. Counted messages are not lost; of blocks, those that are not acknowledged
  /// are. References to the channel end. Blocking; a stop signal ends it. Throws what ends the
  /// session: the peer's last word, the error with what to do next where there is no other
  /// connection, or that of the last attempt.
  void recover(const Error& lost);
  /// The same without a word, up to give_up: true when it was made again.
  bool try_again(Clock::time_point give_up);
  /// The same, by this side, between two frames, when the key of the connection is worn.
  void renew();
  /// True when the key of the present connection has protected as much as it should: before the
  /// next block comes renew(). Never with ChaCha20-Poly1305 and in plain mode.
  bool key_is_worn() const { return link_->sent_bytes() >= key_limit_bytes_; }
  /// What one key may protect in this session, in bytes.
  uint64_t key_limit_bytes() const { return key_limit_bytes_; }
  /// How often the first connection was made again after it was lost.
  uint64_t reconnects() const { return reconnects_; }
  /// Between two HEARTBEATs on a connection of this session that has nothing to say.
  std::chrono::milliseconds heartbeat() const;

  /// So many connections share the rate limit from here on; the first one is told at once.
  void share_rate(unsigned streams);
  /// For a connection of this session: its share of the rate limit, if there is one, and how long
  /// the peer may be silent on it.
  void prepare(Socket& socket) const;

  /// Runs this side's part of the session and settles what its failure means: a local error is told
  /// to the peer, and a lost connection gives way to the peer's own last word. Rethrows.
  void guard(const std::function<void()>& part);

 private:
  void replace(Clock::time_point give_up, const Error* lost);
  void take_into_use();

  Role role_;
  bool connector_;
  std::chrono::seconds timeout_;
  Notices& notices_;
  std::shared_ptr<void> keep_;  // before the link: it goes last
  const int lifeline_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Connections> connections_;
  Negotiated agreed_;
  PrefaceBytes connector_preface_{}, listener_preface_{};
  uint64_t key_limit_bytes_ = UINT64_MAX;
  uint64_t reconnects_ = 0;
  Clock::time_point recovered_{};
  unsigned streams_ = 1;
};

}  // namespace zx
