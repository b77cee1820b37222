// SPDX-License-Identifier: MIT
// Session: one transfer between two programs, over however many connections it takes. Comes from a
// first connection that is authenticated; agrees on the terms, which do not change afterwards;
// makes the first connection again when it is lost or its key is worn. What goes over it is the
// business of zsend/entry_sender.h and zrecv/entry_receiver.h.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "common/session/connections.h"
#include "common/session/handshake.h"
#include "common/session/link.h"
#include "common/session/notices.h"
#include "common/session/start_dialogue.h"

namespace zx {

/// The agreed terms, the same on both sides but for what is this side's (`overwrite`, `filter`) or
/// the peer's.
struct Negotiated : Terms {
  Overwrite overwrite_peer = Overwrite::Unset;
  bool deletes_peer = false;
  std::vector<FilterRule> filter_peer = {};
  std::optional<Named> named = {};  // of a session that was started by ssh

  /// Existing files may be left alone, or nothing shall come: the sender asks about files before it
  /// opens them.
  bool asks_ahead() const;
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
  // Of a session that this side has started by ssh: "direct", "back" or "ssh", and why not a better
  // way.
  const char* via = "";
  std::string why = {};
  std::optional<Named> named = {};  // of a session that was started by ssh, at both ends
};
FirstConnection first_as_listener(std::unique_ptr<Arrivals> arrivals, Handshaken h,
                                  const Side& side);
FirstConnection first_as_connector(Handshaken h, const Side& side);

/// Connects and authenticates; tries again for `wait`. Blocking. Throws as the handshake does.
FirstConnection connect_first(const HostPort& address, Family family, std::chrono::seconds wait,
                              const Side& side);
/// Listens for one who proves himself, for `wait` if given. Blocking. Throws Error{Timeout}.
FirstConnection listen_first(const HostPort& address, Family family,
                             std::optional<std::chrono::seconds> wait, const Side& side);

/// A connection that is gone, or as good as gone: to be made again. Not what the peer says of it.
bool is_lost_connection(const Error& error);

class Session;

/// A session over a first connection, and if need be over the one that the peer makes anew because
/// it was lost before both had agreed. Blocking. Throws as Session::exchange_terms() does.
std::unique_ptr<Session> open_session(FirstConnection first, const Side& side, const Terms& terms);

class Session {
 public:
  Session(FirstConnection first, const Side& side);
  ~Session() { notices_.while_waiting({}); }

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

  /// The first connection was lost with this error: what had come over it before. ACKs are for
  /// `acked`. Throws the peer's last word.
  void hear_the_rest(const Error& lost, const std::function<void(const Frame&)>& acked = {});
  /// After that: makes it again, until --timeout has
  /// passed without one. Counted messages are not lost; of blocks, those that are not acknowledged
  /// are. References to the channel end. Blocking; a stop signal ends it. Throws what ends the
  /// session: the peer's last word, the error with what to do next where there is no other
  /// connection, or that of the last attempt.
  void recover(const Error& lost);
  /// The same without a word, up to give_up: true when it was made again.
  bool recover_quietly(Clock::time_point give_up);
  /// When the key of the connection is worn: another connection, made by this side between two
  /// frames.
  void renew();
  /// True when the key of the present connection has protected as much as it should: before the
  /// next block comes renew(). Never with ChaCha20-Poly1305 and in plain mode.
  bool key_is_worn(const Link& link) const { return link.sent_bytes() >= key_limit_bytes_; }
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
  void propose(Terms mine);
  std::optional<Handshaken> answer(Terms mine);
  void agree_on(const Terms& mine, const Terms& peers);
  void abandon_channel();
  void reconnect(Clock::time_point give_up, const Error* lost);
  void take_into_use();

  const Role role_;
  const bool connector_;
  const std::chrono::seconds timeout_;
  Notices& notices_;
  std::shared_ptr<void> keep_;  // before the link: it goes last
  const int lifeline_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<Connections> connections_;
  Negotiated agreed_;
  Prefaces prefaces_;
  uint64_t key_limit_bytes_ = UINT64_MAX;
  uint64_t reconnects_ = 0;
  Clock::time_point recovered_{};
  unsigned streams_ = 1;
};

}  // namespace zx
