// SPDX-License-Identifier: MIT
#include "common/session/session.h"

#include <sys/socket.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/base/stop.h"

namespace zx {
namespace {

constexpr uint64_t kKnownFeatures = 0;
// Of a listener, between two looks whether the peer can still come.
constexpr std::chrono::seconds kSlice{1};
// Of a handshake that is cut off, without --wait.
constexpr int kQuickAttempts = 3;
// Of a handshake with --wait, when that is over: what was late is not cut off in its middle.
constexpr std::chrono::seconds kLateProof{2};
// Of a side that is interrupted, to say so over another connection.
constexpr std::chrono::seconds kLastAttempt{1};
// What of the stream may move at one go although the rate is limited: two segments, of 64 KiB on a
// loopback interface, and the room for them in the socket, which is given free by halves.
constexpr uint64_t kPacedBurst = 256 << 10;

// 0 is no wish, and no limit: larger than any.
template <typename T>
T smaller(T a, T b) {
  return a == 0 || b == 0 ? std::max(a, b) : std::min(a, b);
}

// A random unknown optional bit in every HELLO: a peer that does not ignore it is found in tests,
// not when the first real one is defined (RFC 8701 calls it GREASE).
uint64_t random_optional_feature() {
  std::byte byte{};
  fill_random({&byte, 1});
  return uint64_t{1} << (32 + std::to_integer<int>(byte) % 32);
}

void check_terms(const Terms& mine, const Terms& peers, bool by_ssh, const std::string& peer) {
  if (by_ssh && !peers.path.empty())
    throw Error(ExitStatus::Refused, peer + ": a path that was not named over ssh");
  if ((peers.required_features & ~kKnownFeatures) != 0)
    throw Error(ExitStatus::Protocol,
                peer + ": the peer requires features this version does not have");
  if (peers.prefaces != mine.prefaces)
    throw Error(ExitStatus::Auth, peer + ": the preface was changed on its way");
}

Terms read_terms(Link& link, FrameType type) {
  const Frame frame = link.read();
  if (frame.header.type != type) unexpected_frame(frame.header, "instead of HELLO or WELCOME");
  return decode<Terms>(frame.body);
}

// A listener that is busy looks like one that is absent.
std::string advice_when_absent(Role role, uint16_t port, bool waits) {
  return std::string(" (is ") + (role == Role::Sender ? "zrecv" : "zsend") + " --listen " +
         std::to_string(port) + " running there, or busy? does a firewall let it through?" +
         (waits ? ")" : " --wait SEC keeps trying)");
}

}  // namespace

bool is_lost_connection(const Error& error) {
  return error.origin() == Origin::Local &&
         (error.status() == ExitStatus::Network || error.status() == ExitStatus::Timeout);
}

std::chrono::milliseconds silence_limit(std::chrono::seconds timeout) {
  return std::clamp(std::chrono::milliseconds(timeout) / 4,
                    std::chrono::milliseconds(kMinSilenceMs),
                    std::chrono::milliseconds(kMaxSilenceMs));
}

bool Negotiated::asks_ahead() const {
  const auto skips = [](Overwrite rule) {
    return rule == Overwrite::Skip || rule == Overwrite::Older || rule == Overwrite::Differ;
  };
  return !to_pipe && (dry_run || skips(overwrite) || skips(overwrite_peer));
}

Negotiated agree(const Terms& mine, const Terms& peers) {
  Negotiated n{mine, peers.overwrite};
  n.block_bytes = std::min(mine.block_bytes, peers.block_bytes);
  n.durability = std::max(mine.durability, peers.durability);
  n.to_pipe = mine.to_pipe || peers.to_pipe;
  if (n.durability == Durability::Unset)
    n.durability = n.to_pipe ? Durability::None : Durability::Batch;
  for (bool Terms::*wish :
       {&Terms::file_digest, &Terms::preserve, &Terms::no_target_directory,
        &Terms::path_is_directory, &Terms::several, &Terms::mkdir, &Terms::recursive,
        &Terms::archive, &Terms::several_sources, &Terms::dry_run, &Terms::verify_disk})
    n.*wish = mine.*wish || peers.*wish;
  n.streams = smaller(mine.streams, peers.streams);
  n.rate_limit = smaller(mine.rate_limit, peers.rate_limit);
  n.deletes = mine.deletes || peers.deletes;  // whether it may be is for both sides' main.cc
  n.deletes_peer = peers.deletes;
  n.most_deleted = std::min(mine.most_deleted, peers.most_deleted);
  n.silence_ms = std::min(mine.silence_ms, peers.silence_ms);
  // Only the receiver says these.
  n.one_file_system = mine.one_file_system || peers.one_file_system;
  n.dereference = mine.dereference || peers.dereference;
  n.filter_peer = peers.filter;
  if (n.path.empty()) n.path = peers.path;  // only the connector has one
  n.build = peers.build;
  return n;
}

FirstConnection first_as_listener(std::unique_ptr<Arrivals> arrivals, Handshaken h,
                                  const Side& side) {
  auto connections = std::make_unique<Connections>(side, h, std::move(arrivals));
  return {.first = std::move(h), .connections = std::move(connections)};
}

FirstConnection first_as_connector(Handshaken h, const Side& side) {
  auto connections = std::make_unique<Connections>(side, h);
  return {.first = std::move(h), .connections = std::move(connections), .connector = true};
}

FirstConnection connect_first(const HostPort& address, Family family, std::chrono::seconds wait,
                              const Side& side) {
  const auto give_up = Clock::now() + wait;
  bool told = false;
  for (int attempt = 1;; ++attempt) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(give_up - Clock::now());
    // Neither takes longer than was asked for, whoever does not answer.
    const auto end = wait.count() > 0 ? std::max(give_up, Clock::now() + kRetryPause)
                                      : Clock::now() + side.timeout;
    Socket socket = connect_to(address, family, std::max(left, std::chrono::seconds(0)),
                               silence_limit(side.timeout), end,
                               advice_when_absent(side.role, address.port, wait.count() > 0));
    try {
      const auto proven = wait.count() > 0 ? std::max(give_up, Clock::now() + kLateProof)
                                           : Clock::time_point::max();
      return first_as_connector(connector_handshake(std::move(socket), side.role, side.security,
                                                    std::min(proven, Clock::now() + side.timeout)),
                                side);
    } catch (const Error& error) {
      // Somebody else's transfer, which ends; or its listener, which has just ended; or a network
      // that loses connections.
      if (!is_lost_connection(error)) throw;
      if (Clock::now() + kRetryPause >= give_up) {
        if (attempt >= kQuickAttempts || error.status() == ExitStatus::Timeout) throw;
      } else if (!std::exchange(told, true)) {
        side.notices.note(std::string(error.what()) + "; trying again (" +
                          std::to_string(left.count()) + " s)");
      }
      pause_for(kRetryPause);
    }
  }
}

FirstConnection listen_first(const HostPort& address, Family family,
                             std::optional<std::chrono::seconds> wait, const Side& side) {
  auto arrivals = std::make_unique<Arrivals>(Listener(address, family), side);
  side.notices.listening(arrivals->port());
  auto h = arrivals->peer(wait ? Clock::now() + *wait : Clock::time_point::max());
  if (!h)
    throw Error(ExitStatus::Timeout,
                "no connection within " + std::to_string(wait->count()) + " s");
  return first_as_listener(std::move(arrivals), std::move(*h), side);
}

Session::Session(FirstConnection first, const Side& side)
    : role_(side.role),
      connector_(first.connector),
      timeout_(side.timeout),
      notices_(side.notices),
      keep_(std::move(first.keep)),
      lifeline_(first.lifeline),
      link_(std::make_unique<Link>(std::move(first.first.channel))),
      connections_(std::move(first.connections)),
      prefaces_(first.first.prefaces) {
  const bool wears = first.first.suite != 0 && suite_of(first.first.suite).aes_gcm;
  agreed_.named = std::move(first.named);
  key_limit_bytes_ = wears && connections_ ? side.security.key_limit_bytes : UINT64_MAX;
}

std::unique_ptr<Session> open_session(FirstConnection first, const Side& side, const Terms& terms) {
  for (;;) {
    auto session = std::make_unique<Session>(std::move(first), side);
    std::optional<Handshaken> again;
    try {
      again = session->exchange_terms(terms);
    } catch (const Error& error) {
      // Who is lost before both sides have agreed begins anew: no last word of it may say else.
      if (is_lost_connection(error)) throw;
      session->guard([] { throw; });
    }
    if (!again) return session;
    first = first_as_listener(session->take_arrivals(), std::move(*again), side);
  }
}

Connections& Session::connections() {
  if (!connections_)
    throw Error(ExitStatus::Protocol, "peer wants a further connection; through ssh there is one");
  return *connections_;
}

std::optional<Handshaken> Session::exchange_terms(Terms terms) {
  terms.prefaces = prefaces_;
  terms.optional_features = random_optional_feature();
  terms.silence_ms = static_cast<uint32_t>(silence_limit(timeout_).count());
  if (!connections_) terms.streams = 1;
  if (!connector_) return answer(std::move(terms));
  propose(std::move(terms));
  return std::nullopt;
}

void Session::propose(Terms mine) {
  fill_random(mine.session);
  link_->send(FrameType::Hello, 0, 0, encode(mine));
  const Terms peers = read_terms(*link_, FrameType::Welcome);
  const std::string& peer = link_->channel().socket().peer();
  if (!peers.path.empty())
    throw Error(ExitStatus::Protocol, peer + ": the listener's WELCOME has a path");
  if (peers.session != mine.session)
    throw Error(ExitStatus::Protocol, peer + ": the answer is for another session");
  agree_on(mine, peers);
  take_into_use();
  link_->send_heartbeat();  // the listener waits for the word that WELCOME has come
}

std::optional<Handshaken> Session::answer(Terms mine) {
  mine.path.clear();  // only the connector says where
  try {
    const Terms peers = read_terms(*link_, FrameType::Hello);
    mine.session = peers.session;
    agree_on(mine, peers);
    link_->send(FrameType::Welcome, 0, 0, encode(mine));
    take_into_use();
    link_->wait(timeout_);
    // What is held has come already.
    if (link_->channel().held().empty()) link_->channel().socket().require_input();
    return std::nullopt;
  } catch (const Error& error) {
    if (!connections_ || !is_lost_connection(error)) throw;
    abandon_channel();
    notices_.detail(std::string(error.what()) + "; lost before both sides had agreed");
  }
  auto again = connections_->await_again(Clock::now() + timeout_);
  if (!again) reconnect(Clock::now() + timeout_, nullptr);
  return again;
}

void Session::agree_on(const Terms& mine, const Terms& peers) {
  const Socket& socket = link_->channel().socket();
  check_terms(mine, peers, agreed_.named.has_value(), socket.peer());
  if (role_ == Role::Receiver && peers.to_pipe)
    throw Error(ExitStatus::Protocol, socket.peer() + ": a sender that takes a pipe");
  if (role_ == Role::Receiver && (peers.one_file_system || peers.dereference))
    throw Error(ExitStatus::Protocol, socket.peer() + ": a sender that filters for the receiver");
  auto named = std::move(agreed_.named);
  agreed_ = agree(mine, peers);
  agreed_.named = std::move(named);
  if (connections_) connections_->open(peers.session, socket);
  link_->count_messages();
  link_->set_heartbeat(heartbeat());
}

std::chrono::milliseconds Session::heartbeat() const {
  return std::min(kHeartbeat, std::chrono::milliseconds(agreed_.silence_ms) / 4);
}

void Session::take_into_use() {
  Socket& socket = link_->channel().socket();
  socket.set_deadline(std::nullopt);
  prepare(socket);
  notices_.while_waiting([this] { link_->keep_alive(); });
}

// Every connection that carries data comes by here.
void Session::prepare(Socket& socket) const {
  // Where it cannot be made again it is not given up early.
  std::chrono::milliseconds silence = timeout_;
  if (connections_) silence = std::chrono::milliseconds(agreed_.silence_ms);
  if (agreed_.rate_limit != 0) {
    const uint64_t rate = std::max(agreed_.rate_limit / streams_, kMinRateLimit);
    // A pause that the limit makes is not a peer that has gone; but the peer's limit must not make
    // this side wait for ever.
    silence += std::min<std::chrono::milliseconds>(
        std::chrono::milliseconds(1000 * kPacedBurst / rate), timeout_);
    if (role_ == Role::Sender) socket.limit_rate(rate);
  }
  socket.set_idle(silence);
}

void Session::share_rate(unsigned streams) {
  streams_ = streams;
  prepare(link_->channel().socket());
}

// Of a silent connection nothing more comes: not even the rest of what has begun to.
void Session::hear_the_rest(const Error& lost, const std::function<void(const Frame&)>& acked) {
  if (lost.status() != ExitStatus::Timeout) link_->look_for_peer_error(acked);
}

void Session::recover(const Error& lost) {
  if (!connections_)
    throw Error(lost.status(), std::string(lost.what()) +
                                   " (through ssh the connection is not made again; the same "
                                   "command starts over)");
  const bool worn = link_->channel_bytes() >= key_limit_bytes_;
  const bool again = !worn && Clock::now() - recovered_ < kShortLived;
  if (again) pause_for(kRetryPause);
  if (!worn && !again)
    notices_.note(std::string(lost.what()) + "; connection lost; trying for " +
                  std::to_string(timeout_.count()) + " s more");
  reconnect(Clock::now() + timeout_, &lost);
  if (worn) return;
  recovered_ = Clock::now();
  notices_.reconnected(++reconnects_);
}

void Session::renew() {
  link_->channel().finish_sending();
  reconnect(Clock::now() + timeout_, nullptr);
  notices_.detail("the connection was replaced: its key has protected enough");
}

bool Session::recover_quietly(Clock::time_point give_up) {
  if (!connections_) return false;
  try {
    reconnect(give_up, nullptr);
  } catch (const Error&) {
    return false;
  }
  return true;
}

// So that the peer hears of it, and nobody takes its descriptor for a connection any more. In plain
// mode an end in order would say that BYE was heard.
void Session::abandon_channel() {
  connections_->forget(0);
  if (link_->channel().cipher().empty()) link_->channel().socket().reset();
  (void)shutdown(link_->channel().socket().fd(), SHUT_RDWR);
}

void Session::reconnect(Clock::time_point give_up, const Error* lost) {
  for (;;) {
    abandon_channel();
    try {
      const auto limit = Clock::now() + (connector_ ? kAttemptLimit : kSlice);
      auto joined =
          connections_->next(0, {link_->taken(), link_->acks()}, std::min(give_up, limit));
      link_->replace_channel(std::move(joined.channel), role_, joined.peers.taken,
                             joined.peers.acks);
      take_into_use();
      link_->flush();  // what the peer has missed
      return;
    } catch (const Error& error) {
      if (!is_lost_connection(error)) throw;
      if (wait_any({{lifeline_}}, Clock::time_point::min()))
        throw Error(ExitStatus::Network, std::string(error.what()) + "; who started this has gone");
      if (Clock::now() + kRetryPause < give_up) continue;
      if (lost == nullptr) throw;
      throw Error(lost->status(), std::string(lost->what()) + "; not made again within " +
                                      std::to_string(timeout_.count()) + " s: " + error.what());
    }
  }
}

void Session::guard(const std::function<void()>& part) {
  try {
    part();
  } catch (const Error& error) {
    if (error.origin() == Origin::Local) {
      if (error.status() == ExitStatus::Network) link_->look_for_peer_error();
      link_->send_error(error.status(), error.what());
    }
    throw;
  } catch (const Interrupted&) {
    // The peer would take the word for content, and wait for this side to come back.
    if (link_->in_payload()) {
      const LastWordsScope scope;
      (void)recover_quietly(Clock::now() + kLastAttempt);
    }
    link_->send_error(ExitStatus::Network, "interrupted");
    throw;
  } catch (const std::exception& error) {
    link_->send_error(ExitStatus::Internal, error.what());
    throw;
  }
}

}  // namespace zx
