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
// A time no run will see, that clock arithmetic still can hold.
constexpr std::chrono::seconds kForEver = std::chrono::hours(24 * 365 * 100);
constexpr std::chrono::milliseconds kRetryPause{200};
// Between two looks whether the peer can still come.
constexpr std::chrono::seconds kSlice{1};
// Of a handshake that is cut off, without --wait.
constexpr int kQuickAttempts = 3;
// Of a side that has nothing to say; with a short time-out a quarter of the silence that is
// allowed.
constexpr std::chrono::milliseconds kHeartbeat{400};

// What of the stream may move at one go although the rate is limited: two segments, of 64 KiB on a
// loopback interface, and the room for them in the socket, which is given free by halves.
constexpr uint64_t kPacedBurst = 256 << 10;

// No limit is the largest of all.
uint64_t smaller_limit(uint64_t a, uint64_t b) {
  if (a == 0) return b;
  return b == 0 ? a : std::min(a, b);
}

// No wish is larger than any.
uint16_t smaller_wish(uint16_t a, uint16_t b) {
  return static_cast<uint16_t>(smaller_limit(a, b));
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
  if (peers.connector_preface != mine.connector_preface ||
      peers.listener_preface != mine.listener_preface)
    throw Error(ExitStatus::Auth, peer + ": the preface was changed on its way");
}

Terms read_terms(Link& link, FrameType type) {
  const Frame frame = link.read();
  if (frame.header.type != type) unexpected_frame(frame.header, "instead of HELLO or WELCOME");
  return decode_terms(frame.body);
}

FirstConnection connect_first(const Rendezvous& r, Role role, const Security& security,
                              Notices& notices) {
  const auto give_up = Clock::now() + r.wait.value_or(std::chrono::seconds(0));
  bool told = false;
  for (int attempt = 1;; ++attempt) {
    const auto left = std::chrono::ceil<std::chrono::seconds>(give_up - Clock::now());
    Socket socket = connect_to(*r.connect_to, r.family, std::max(left, std::chrono::seconds(0)),
                               silence_limit(r.timeout));
    const std::string peer = socket.peer();
    try {
      return first_as_connector(connector_handshake(std::move(socket), role, security), role,
                                security, r.timeout);
    } catch (const Error& error) {
      // Somebody else's transfer, which ends; or its listener, which has just ended; or a network
      // that loses connections.
      if (!is_lost_connection(error)) throw;
      if (Clock::now() + kRetryPause >= give_up) {
        if (attempt >= kQuickAttempts || error.status() == ExitStatus::Timeout) throw;
      } else if (!std::exchange(told, true)) {
        notices.note(peer + ": another transfer has it; trying again (" +
                     std::to_string(left.count()) + " s)");
      }
      pause_for(kRetryPause);
    }
  }
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

Negotiated agree(const Terms& mine, const Terms& peers) {
  Negotiated n;
  n.block_bytes = std::min(mine.max_block_bytes, peers.max_block_bytes);
  n.durability = std::max(mine.durability, peers.durability);
  n.to_pipe = mine.to_pipe || peers.to_pipe;
  if (n.durability == Durability::Unset)
    n.durability = n.to_pipe ? Durability::None : Durability::Batch;
  n.file_digest = mine.file_digest || peers.file_digest;
  n.preserve = mine.preserve || peers.preserve;
  n.mkdir = mine.mkdir || peers.mkdir;
  n.no_target_directory = mine.no_target_directory || peers.no_target_directory;
  n.path_is_directory = mine.path_is_directory || peers.path_is_directory;
  n.several = mine.several || peers.several;
  n.overwrite_here = mine.overwrite;
  n.overwrite_peer = peers.overwrite;
  n.streams = smaller_wish(mine.streams, peers.streams);
  n.rate_limit = smaller_limit(mine.rate_limit, peers.rate_limit);
  n.silence = std::chrono::milliseconds(std::min(mine.silence_ms, peers.silence_ms));
  n.path = mine.path.empty() ? peers.path : mine.path;  // only the connector has one
  n.peer_build = peers.build;
  return n;
}

FirstConnection first_as_listener(std::unique_ptr<Arrivals> arrivals, Handshaken h, Role role,
                                  const Security& security, std::chrono::seconds timeout) {
  FirstConnection out;
  out.connections =
      std::make_unique<Connections>(std::move(arrivals), role, security, h, silence_limit(timeout));
  out.first = std::move(h);
  return out;
}

FirstConnection first_as_connector(Handshaken h, Role role, const Security& security,
                                   std::chrono::seconds timeout) {
  FirstConnection out;
  // To the address that answered, not to the name: that may have several.
  out.connections = std::make_unique<Connections>(h.channel->socket().peer_address(), role,
                                                  security, h, silence_limit(timeout));
  out.first = std::move(h);
  out.connector = true;
  return out;
}

FirstConnection meet(const Rendezvous& r, Role role, const Security& security, Notices& notices) {
  if (r.connect_to) return connect_first(r, role, security, notices);
  auto arrivals = std::make_unique<Arrivals>(Listener(*r.listen_on, r.family), role, security,
                                             silence_limit(r.timeout), notices);
  notices.listening(arrivals->port());
  auto h = arrivals->peer(Clock::now() + r.wait.value_or(kForEver));
  if (!h)
    throw Error(ExitStatus::Timeout,
                "no connection within " + std::to_string(r.wait->count()) + " s");
  return first_as_listener(std::move(arrivals), std::move(*h), role, security, r.timeout);
}

Session::Session(FirstConnection first, Role role, const Security& security,
                 std::chrono::seconds timeout, Notices& notices)
    : role_(role),
      connector_(first.connector),
      timeout_(timeout),
      notices_(notices),
      keep_(std::move(first.keep)),
      lifeline_(first.lifeline),
      link_(std::make_unique<Link>(std::move(first.first.channel))),
      connections_(std::move(first.connections)),
      connector_preface_(first.first.connector_preface),
      listener_preface_(first.first.listener_preface) {
  const bool wears = first.first.suite != 0 && suite_of(first.first.suite).aes_gcm;
  agreed_.named = std::move(first.named);
  key_limit_bytes_ = wears && connections_ ? security.key_limit_bytes : UINT64_MAX;
}

Session::~Session() = default;

std::unique_ptr<Session> open_session(FirstConnection first, Role role, const Security& security,
                                      std::chrono::seconds timeout, const Terms& terms,
                                      Notices& notices) {
  for (;;) {
    auto session = std::make_unique<Session>(std::move(first), role, security, timeout, notices);
    std::optional<Handshaken> again;
    try {
      again = session->exchange_terms(terms);
    } catch (const Error& error) {
      // Who is lost before both sides have agreed begins anew: no last word of it may say else.
      if (is_lost_connection(error)) throw;
      session->guard([] { throw; });
    }
    if (!again) return session;
    first = first_as_listener(session->take_arrivals(), std::move(*again), role, security, timeout);
  }
}

Connections& Session::connections() {
  if (!connections_)
    throw Error(ExitStatus::Protocol, "peer wants a further connection; through ssh there is one");
  return *connections_;
}

std::optional<Handshaken> Session::exchange_terms(Terms terms) {
  terms.connector_preface = connector_preface_;
  terms.listener_preface = listener_preface_;
  terms.optional_features = random_optional_feature();
  terms.silence_ms = static_cast<uint32_t>(silence_limit(timeout_).count());
  if (!connections_) terms.streams = 1;
  const std::string peer = link_->channel().socket().peer();
  if (connector_)
    fill_random(terms.session);
  else
    terms.path.clear();  // only the connector says where
  const auto agree_with = [&](const Terms& peers) {
    check_terms(terms, peers, agreed_.named.has_value(), peer);
    if (role_ == Role::Receiver && peers.to_pipe)
      throw Error(ExitStatus::Protocol, peer + ": a sender that takes a pipe");
    auto named = std::move(agreed_.named);
    agreed_ = agree(terms, peers);
    agreed_.named = std::move(named);
    if (connections_) connections_->open(peers.session);
    link_->count_messages();
    link_->set_heartbeat(heartbeat());
  };
  if (connector_) {
    link_->send(FrameType::Hello, 0, 0, encode(terms));
    const Terms peers = read_terms(*link_, FrameType::Welcome);
    if (!peers.path.empty())
      throw Error(ExitStatus::Protocol, peer + ": the listener's WELCOME has a path");
    if (peers.session != terms.session)
      throw Error(ExitStatus::Protocol, peer + ": the answer is for another session");
    agree_with(peers);
    take_into_use();
    if (connections_) connections_->in_use(link_->channel().socket());
    link_->send_heartbeat();  // the listener waits for the word that WELCOME has come
    return std::nullopt;
  }
  std::optional<Handshaken> again;
  try {
    const Terms peers = read_terms(*link_, FrameType::Hello);
    terms.session = peers.session;
    agree_with(peers);
    if (connections_) connections_->in_use(link_->channel().socket());
    link_->send(FrameType::Welcome, 0, 0, encode(terms));
    take_into_use();
    link_->wait(timeout_);
    link_->channel().socket().require_input();
    return std::nullopt;
  } catch (const Error& error) {
    if (!connections_ || !is_lost_connection(error)) throw;
    connections_->forget(0);
    (void)shutdown(link_->channel().socket().fd(), SHUT_RDWR);
    notices_.detail(std::string(error.what()) + "; lost before both sides had agreed");
  }
  if (connections_->await_join(Clock::now() + timeout_, &again))
    replace(Clock::now() + timeout_, nullptr);
  return again;
}

std::chrono::milliseconds Session::heartbeat() const {
  return std::min(kHeartbeat, agreed_.silence / 4);
}

void Session::take_into_use() {
  Socket& socket = link_->channel().socket();
  socket.set_deadline(std::nullopt);
  prepare(socket);
}

// Every connection that carries data comes by here.
void Session::prepare(Socket& socket) const {
  // Where it cannot be made again it is not given up early.
  auto silence = connections_ ? agreed_.silence : std::chrono::milliseconds(timeout_);
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

void Session::recover(const Error& lost) {
  if (!connections_)
    throw Error(lost.status(), std::string(lost.what()) +
                                   " (through ssh the connection is not made again; the same "
                                   "command starts over)");
  try {
    // Of a silent connection nothing more comes: not even the rest of what has begun to.
    if (lost.status() != ExitStatus::Timeout) link_->look_for_peer_error();
  } catch (const Error& last_word) {
    if (last_word.origin() == Origin::Peer) throw;  // the more telling one
  }
  const bool worn = link_->channel_bytes() >= key_limit_bytes_;
  // A path that loses every connection at once is not tried as fast as that goes.
  const bool again = !worn && Clock::now() - recovered_ < kRetryPause * 5;
  if (again) pause_for(kRetryPause);
  if (!worn && !again)
    notices_.note(std::string(lost.what()) + "; connection lost; trying for " +
                  std::to_string(timeout_.count()) + " s more");
  replace(Clock::now() + timeout_, &lost);
  if (worn) return;
  recovered_ = Clock::now();
  notices_.reconnected(++reconnects_);
}

void Session::renew() {
  link_->channel().finish_sending();
  replace(Clock::now() + timeout_, nullptr);
  notices_.detail("the connection was replaced: its key has protected enough");
}

bool Session::try_again(Clock::time_point give_up) {
  if (!connections_) return false;
  try {
    replace(give_up, nullptr);
  } catch (const Error&) {
    return false;
  }
  return true;
}

void Session::replace(Clock::time_point give_up, const Error* lost) {
  for (;;) {
    connections_->forget(0);
    // So that the peer hears of it. In plain mode an end in order would say that BYE was heard.
    if (link_->channel().cipher().empty()) link_->channel().socket().reset();
    (void)shutdown(link_->channel().socket().fd(), SHUT_RDWR);
    try {
      auto joined = connections_->next(0, link_->taken(), std::min(give_up, Clock::now() + kSlice));
      link_->replace_channel(std::move(joined.channel), joined.peer_has_taken);
      take_into_use();
      link_->flush();  // what the peer has missed
      return;
    } catch (const Error& error) {
      if (!is_lost_connection(error)) throw;
      if (wait_any({{lifeline_}}, Clock::time_point::min()))
        throw Error(ExitStatus::Network, std::string(error.what()) + "; who started this has gone");
      if (Clock::now() < give_up) continue;
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
      if (error.status() == ExitStatus::Network) {
        try {
          link_->look_for_peer_error();
        } catch (const Error& last_word) {
          if (last_word.origin() == Origin::Peer) throw;  // the more telling one
        }
      }
      link_->send_error(error.status(), error.what());
    }
    throw;
  } catch (const Interrupted&) {
    link_->send_error(ExitStatus::Network, "interrupted");
    throw;
  } catch (const std::exception& error) {
    link_->send_error(ExitStatus::Internal, error.what());
    throw;
  }
}

}  // namespace zx
