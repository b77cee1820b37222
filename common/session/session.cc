// SPDX-License-Identifier: MIT
#include "common/session/session.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/random.h"

namespace zx {
namespace {

constexpr uint64_t kKnownFeatures = 0;
// Between the two SWITCHes: a RESULT and RETRYs for each open entry, with one text at most.
constexpr size_t kMaxLateFrames = kMaxOpenEntries * (1 + kMaxDamagedBlocks);
constexpr size_t kMaxLateBytes = kMaxTextBytes + 64;
// A time no run will see, that clock arithmetic still can hold.
constexpr std::chrono::seconds kForEver = std::chrono::hours(24 * 365 * 100);

// What of the stream may move at one go although the rate is limited: two segments, of 64 KiB on a
// loopback interface, and the room for them in the socket, which is given free by halves.
constexpr uint64_t kPacedBurst = 256 << 10;

// No limit is the largest of all.
uint64_t smaller_limit(uint64_t a, uint64_t b) {
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
  if (peers.connector_preface != mine.connector_preface ||
      peers.listener_preface != mine.listener_preface)
    throw Error(ExitStatus::Auth, peer + ": the preface was changed on its way");
}

Terms read_terms(Link& link, FrameType type) {
  const Frame frame = link.read();
  if (frame.header.type != type) unexpected_frame(frame.header, "instead of HELLO or WELCOME");
  return decode_terms(frame.body);
}

Met meet(const Rendezvous& r, Role role, const Security& security,
         const ListeningFn& on_listening) {
  if (r.connect_to) {
    const auto wait = r.wait.value_or(std::chrono::seconds(0));
    return met_as_connector(
        connector_handshake(connect_to(*r.connect_to, r.family, wait, r.idle), role, security),
        role, security, r.idle);
  }
  Listener listener(*r.listen_on, r.family);
  on_listening(listener.port());
  const auto give_up = Clock::now() + (r.wait ? *r.wait : kForEver);
  for (;;) {
    auto socket = listener.accept(give_up, r.idle);
    if (!socket)
      throw Error(ExitStatus::Timeout,
                  "no connection within " + std::to_string(r.wait->count()) + " s");
    if (auto h = listener_handshake(std::move(*socket), role, security, give_up))
      return met_as_listener(std::move(listener), std::move(*h), role, security, r.idle);
  }
}

}  // namespace

Negotiated agree(const Terms& mine, const Terms& peers) {
  Negotiated n;
  n.block_bytes = std::min(mine.max_block_bytes, peers.max_block_bytes);
  n.durability = std::max(mine.durability, peers.durability);
  n.to_stream = mine.to_stream || peers.to_stream;
  if (n.durability == Durability::Unset)
    n.durability = n.to_stream ? Durability::None : Durability::Batch;
  n.file_digest = mine.file_digest || peers.file_digest;
  n.preserve = mine.preserve || peers.preserve;
  n.no_target_directory = mine.no_target_directory || peers.no_target_directory;
  n.path_is_directory = mine.path_is_directory || peers.path_is_directory;
  n.overwrite_here = mine.overwrite;
  n.overwrite_peer = peers.overwrite;
  // A wish of 0 is larger than any.
  n.streams = static_cast<uint16_t>(std::min<unsigned>(mine.streams - 1U, peers.streams - 1U) + 1U);
  n.sources = std::max(mine.sources, peers.sources);
  n.rate_limit = smaller_limit(mine.rate_limit, peers.rate_limit);
  n.path = mine.path.empty() ? peers.path : mine.path;  // only the connector has one
  n.peer_build = peers.build;
  return n;
}

Met met_as_listener(Listener listener, Handshaken h, Role role, const Security& security,
                    std::chrono::seconds idle) {
  listener.pause();
  Met met;
  met.joiner = std::make_unique<Joiner>(std::move(listener), role, security, h, idle);
  met.first = std::move(h);
  return met;
}

Met met_as_connector(Handshaken h, Role role, const Security& security, std::chrono::seconds idle) {
  Met met;
  // To the address that answered, not to the name: that may have several.
  met.joiner =
      std::make_unique<Joiner>(parse_listen(h.channel->socket().peer()), role, security, h, idle);
  met.first = std::move(h);
  met.connector = true;
  return met;
}

Session::Session(Met met, Role role, const Security& security)
    : role_(role),
      connector_(met.connector),
      keep_(std::move(met.keep)),
      link_(std::make_unique<Link>(std::move(met.first.channel))),
      joiner_(std::move(met.joiner)),
      connector_preface_(met.first.connector_preface),
      listener_preface_(met.first.listener_preface) {
  const bool wears = met.first.suite != 0 && suite_of(met.first.suite).aes_gcm;
  agreed_.named = std::move(met.named);
  key_limit_bytes_ = wears ? security.key_limit_bytes : UINT64_MAX;
}

Joiner& Session::joiner() {
  if (!joiner_)
    throw Error(ExitStatus::Protocol, "peer wants a further connection; through ssh there is one");
  return *joiner_;
}

void Session::exchange_terms(Terms terms) {
  terms.connector_preface = connector_preface_;
  terms.listener_preface = listener_preface_;
  terms.optional_features = random_optional_feature();
  const std::string peer = link_->channel().socket().peer();
  Terms peers;
  link_->guard([&] {
    if (connector_) {
      fill_random(terms.session);
      link_->send(FrameType::Hello, 0, 0, encode(terms));
      peers = read_terms(*link_, FrameType::Welcome);
      check_terms(terms, peers, agreed_.named.has_value(), peer);
      if (!peers.path.empty())
        throw Error(ExitStatus::Protocol, peer + ": the listener's WELCOME has a path");
      if (peers.session != terms.session)
        throw Error(ExitStatus::Protocol, peer + ": the answer is for another session");
    } else {
      peers = read_terms(*link_, FrameType::Hello);
      check_terms(terms, peers, agreed_.named.has_value(), peer);
      terms.session = peers.session;
      terms.path.clear();  // only the connector says where
      link_->send(FrameType::Welcome, 0, 0, encode(terms));
    }
  });
  if (role_ == Role::Receiver && peers.to_stream)
    link_->guard(
        [&] { throw Error(ExitStatus::Protocol, peer + ": a sender that takes a stream"); });
  link_->channel().socket().set_deadline(std::nullopt);
  if (joiner_) joiner_->set_session(terms.session);
  auto named = std::move(agreed_.named);
  agreed_ = agree(terms, peers);
  agreed_.named = std::move(named);
  limit_rate(link_->channel().socket());
}

// Every connection that carries data comes by here.
void Session::limit_rate(Socket& socket) const {
  if (agreed_.rate_limit == 0) return;
  const uint64_t rate = std::max(agreed_.rate_limit / streams_, kMinRateLimit);
  // A pause that the limit makes is not a peer that has gone.
  socket.extend_idle(std::chrono::seconds(kPacedBurst / rate));
  if (role_ == Role::Sender) socket.limit_rate(rate);
}

void Session::share_rate(unsigned streams) {
  streams_ = streams;
  limit_rate(link_->channel().socket());
}

std::vector<Frame> Session::switch_connection(bool first) {
  std::vector<Frame> late;
  const uint32_t index = join_index(0, ++joined_);
  joiner().prepare(index);
  link_->send(FrameType::Switch, 0, 0, {});
  Channel& old = link_->channel();
  old.finish_sending();
  while (first) {
    Frame frame = link_->read();
    if (frame.header.type == FrameType::Switch) {
      require_empty(frame);
      break;
    }
    // It covers those before it, of which there may be any number.
    if (frame.header.type == FrameType::Ack)
      std::erase_if(late, [&](const Frame& f) {
        return f.header.type == FrameType::Ack && f.header.entry == frame.header.entry;
      });
    if (frame.header.type == FrameType::Data) unexpected_frame(frame.header, "before SWITCH");
    // More than there can be answers under way for what was sent.
    if (late.size() >= kMaxLateFrames || frame.body.size() > kMaxLateBytes)
      throw Error(ExitStatus::Protocol, "peer goes on answering instead of SWITCH");
    late.push_back(std::move(frame));
  }
  // To its end: closing a socket with unread input is a reset, which could destroy our SWITCH.
  std::byte scrap{};
  if (old.recv_some({&scrap, 1}) != 0)
    throw Error(ExitStatus::Protocol, "peer sent something after SWITCH");
  link_->replace_channel(
      joiner_->join(index, link_->channel().socket().idle_timeout(), /*insist=*/true));
  limit_rate(link_->channel().socket());
  return late;
}

Session open_session(const Rendezvous& rendezvous, Role role, const Security& security, Terms terms,
                     const ListeningFn& on_listening) {
  Session session(meet(rendezvous, role, security, on_listening), role, security);
  session.exchange_terms(std::move(terms));
  return session;
}

}  // namespace zx
