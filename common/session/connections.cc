// SPDX-License-Identifier: MIT
#include "common/session/connections.h"

#include <sys/socket.h>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/wait.h"
#include "common/session/link.h"
#include "common/session/session.h"

namespace zx {
namespace {

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

Connections::Connections(const Side& side, const Handshaken& first,
                         std::unique_ptr<Arrivals> arrivals)
    : role_(side.role),
      security_(further_security(side.security, first)),
      idle_(silence_limit(side.timeout)),
      address_(first.channel->socket().peer_address()),
      arrivals_(std::move(arrivals)) {}

void Connections::open(const SessionId& session, const Socket& first) {
  session_ = session;
  if (arrivals_)
    arrivals_->admit(security_, session,
                     [this](uint16_t stream, uint32_t generation) { fence(stream, generation); });
  in_use(0, 0, first);
}

std::optional<Handshaken> Connections::await_again(Clock::time_point give_up) {
  auto again = arrivals_->peer(give_up);
  if (!again && Clock::now() >= give_up)
    throw Error(ExitStatus::Timeout, "the peer did not connect again in time");
  return again;
}

void Connections::allow(uint16_t streams) {
  if (arrivals_) arrivals_->allow(streams);
}

// Before the peer knows that it stands: from then on it may be replaced at any time.
void Connections::in_use(uint16_t stream, uint32_t generation, const Socket& socket) {
  {
    const std::lock_guard lock(mutex_);
    streams_[stream] = {generation, socket.fd()};
  }
  // Whoever has joined since found the one before.
  if (arrivals_ && arrivals_->generation_of(stream) > generation) evict(stream);
}

void Connections::forget(uint16_t stream) {
  const std::lock_guard lock(mutex_);
  streams_[stream].fd = -1;
}

void Connections::fence(uint16_t stream, uint32_t generation) {
  const std::lock_guard lock(mutex_);
  const Stream& known = streams_[stream];
  if (known.fd >= 0 && known.generation < generation) (void)shutdown(known.fd, SHUT_RDWR);
}

Connections::Joined Connections::next(uint16_t stream, const Counts& mine,
                                      Clock::time_point give_up) {
  Joined joined = arrivals_ ? accept(stream, mine, give_up) : connect(stream, mine, give_up);
  joined.channel->socket().set_deadline(std::nullopt);
  return joined;
}

Connections::Joined Connections::connect(uint16_t stream, const Counts& counts,
                                         Clock::time_point give_up) {
  const auto attempt = [&] {
    Socket socket = connect_to(address_, Family::Any, std::chrono::seconds(0), idle_, give_up);
    Handshaken h = connector_handshake(std::move(socket), role_, security_, give_up);
    h.channel->socket().set_deadline(give_up);  // the other end may be busy before it answers
    Join mine{h.prefaces, session_, stream, 0, counts.taken, counts.acks};
    {
      const std::lock_guard lock(mutex_);
      mine.generation = ++streams_[stream].generation;
    }
    return join(std::move(h.channel), mine, std::nullopt);
  };
  return retry_until(give_up, attempt, is_lost_connection);
}

Connections::Joined Connections::accept(uint16_t stream, const Counts& counts,
                                        Clock::time_point give_up) {
  for (;;) {
    auto joiner = arrivals_->take(stream, give_up);
    if (!joiner) throw Error(ExitStatus::Timeout, "the peer did not connect again in time");
    Join mine = joiner->join;
    mine.taken = counts.taken;
    mine.acks = counts.acks;
    try {
      return join(std::move(joiner->handshaken.channel), mine, joiner->join);
    } catch (const Error& error) {  // gone again: the next one comes
      if (!is_lost_connection(error)) throw;
    }
  }
}

// A listener has read theirs already.
Connections::Joined Connections::join(std::unique_ptr<Channel> channel, const Join& mine,
                                      std::optional<Join> theirs) {
  Link link(std::move(channel));
  bool joined = false;
  const Defer unless_joined([&] {  // before its socket is closed
    if (!joined) forget(mine.stream);
  });
  in_use(mine.stream, mine.generation, link.channel().socket());
  link.send(FrameType::Join, 0, 0, encode(mine));
  if (!theirs) theirs = read_join(link, mine.prefaces);
  if (theirs->session != mine.session || theirs->stream != mine.stream ||
      theirs->generation != mine.generation)
    throw Error(ExitStatus::Protocol,
                link.channel().socket().peer() + ": JOIN for another session or connection");
  joined = true;
  return {link.take_channel(), {theirs->taken, theirs->acks}};
}

}  // namespace zx
