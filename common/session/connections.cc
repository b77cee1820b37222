// SPDX-License-Identifier: MIT
#include "common/session/connections.h"

#include <sys/socket.h>

#include <algorithm>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/wait.h"
#include "common/session/link.h"
#include "common/session/session.h"

namespace zx {
namespace {

constexpr std::chrono::milliseconds kRetryPause{200};
// For one attempt: a firewall that drops must not use up the whole time.
constexpr std::chrono::seconds kAttemptLimit{10};

Security further_security(const Security& first, const Handshaken& h) {
  Security s;
  s.mode = first.mode == Mode::Plain ? Mode::Plain : Mode::TlsPsk;
  s.no_auth = first.no_auth;
  s.key = h.join_key ? h.join_key : first.key;
  s.suites = h.suite;  // the same: whether a key wears was judged by it
  s.ktls = first.ktls;
  s.join = true;
  return s;
}

}  // namespace

Connections::Connections(HostPort address, Role role, const Security& security,
                         const Handshaken& first, std::chrono::milliseconds idle)
    : address_(std::move(address)),
      role_(role),
      security_(further_security(security, first)),
      idle_(idle) {}

Connections::Connections(std::unique_ptr<Arrivals> arrivals, Role role, const Security& security,
                         const Handshaken& first, std::chrono::milliseconds idle)
    : role_(role),
      security_(further_security(security, first)),
      idle_(idle),
      arrivals_(std::move(arrivals)) {}

void Connections::open(const SessionId& session) {
  session_ = session;
  if (arrivals_)
    arrivals_->admit(security_, session,
                     [this](uint16_t stream, uint32_t generation) { fence(stream, generation); });
}

bool Connections::await_join(Clock::time_point give_up, std::optional<Handshaken>* again) {
  arrivals_->reopen();
  *again = arrivals_->peer(give_up);
  arrivals_->close();
  if (!*again && Clock::now() >= give_up)
    throw Error(ExitStatus::Timeout, "the peer did not connect again in time");
  return !*again;
}

void Connections::allow(uint16_t streams) {
  if (arrivals_) arrivals_->allow(streams);
}

// Before the peer knows that it stands: from then on it may be replaced at any time.
void Connections::in_use(uint16_t stream, uint32_t generation, const Socket& socket) {
  {
    const std::lock_guard lock(mutex_);
    sockets_[stream] = {generation, socket.fd()};
  }
  // Whoever has joined since found the one before.
  if (arrivals_ && arrivals_->generation_of(stream) > generation) evict(stream);
}

void Connections::forget(uint16_t stream) {
  const std::lock_guard lock(mutex_);
  sockets_.erase(stream);
}

void Connections::fence(uint16_t stream, uint32_t generation) {
  const std::lock_guard lock(mutex_);
  const auto found = sockets_.find(stream);
  if (found != sockets_.end() && found->second.generation < generation)
    (void)shutdown(found->second.fd, SHUT_RDWR);
}

Connections::Joined Connections::next(uint16_t stream, uint64_t taken, Clock::time_point give_up) {
  Joined joined = arrivals_ ? accept(stream, taken, give_up) : connect(stream, taken, give_up);
  joined.channel->socket().set_deadline(std::nullopt);
  return joined;
}

// --- the connector

Connections::Joined Connections::connect(uint16_t stream, uint64_t taken,
                                         Clock::time_point give_up) {
  for (;;) {
    try {
      const auto limit = std::min(give_up, Clock::now() + kAttemptLimit);
      Socket socket = connect_to(*address_, Family::Any, std::chrono::seconds(0), idle_, limit);
      Handshaken h = connector_handshake(std::move(socket), role_, security_, limit);
      h.channel->socket().set_deadline(give_up);  // the other end may be busy before it answers
      Join mine{h.prefaces, session_, stream, 0, taken};
      {
        const std::lock_guard lock(mutex_);
        mine.generation = ++generations_[stream];
      }
      Link link(std::move(h.channel));
      bool joined = false;
      const Defer unless_joined([&] {  // before its socket is closed
        if (!joined) forget(stream);
      });
      in_use(stream, mine.generation, link.channel().socket());
      link.send(FrameType::Join, 0, 0, encode(mine));
      const Frame frame = link.read();
      if (frame.header.type != FrameType::Join) unexpected_frame(frame.header, "instead of JOIN");
      const Join theirs = decode<Join>(frame.body);
      if (theirs.prefaces != mine.prefaces)
        throw Error(ExitStatus::Auth, to_text(*address_) + ": the preface was changed on its way");
      if (theirs.session != session_ || theirs.stream != stream ||
          theirs.generation != mine.generation)
        throw Error(ExitStatus::Protocol,
                    to_text(*address_) + ": JOIN for another session or connection");
      joined = true;
      return {link.take_channel(), theirs.taken};
    } catch (const Error& error) {
      if (!is_lost_connection(error) || Clock::now() + kRetryPause >= give_up) throw;
      pause_for(kRetryPause);
    }
  }
}

// --- the listener

Connections::Joined Connections::accept(uint16_t stream, uint64_t taken,
                                        Clock::time_point give_up) {
  for (;;) {
    auto joiner = arrivals_->take(stream, give_up);
    if (!joiner) throw Error(ExitStatus::Timeout, "the peer did not connect again in time");
    Join mine = joiner->join;
    mine.taken = taken;
    try {
      Link link(std::move(joiner->handshaken.channel));
      bool joined = false;
      const Defer unless_joined([&] {  // before its socket is closed
        if (!joined) forget(stream);
      });
      in_use(stream, mine.generation, link.channel().socket());
      link.send(FrameType::Join, 0, 0, encode(mine));
      joined = true;
      return {link.take_channel(), joiner->join.taken};
    } catch (const Error& error) {  // gone again: the next one comes
      if (!is_lost_connection(error)) throw;
    }
  }
}

}  // namespace zx
