// SPDX-License-Identifier: MIT
#include "common/session/joiner.h"

#include "common/base/error.h"
#include "common/base/stop.h"
#include "common/session/link.h"

namespace zx {
namespace {

constexpr std::chrono::milliseconds kRetryPause{200};

Security further_security(const Security& first, const Handshaken& h) {
  Security s;
  s.mode = first.mode == Mode::Plain ? Mode::Plain : Mode::TlsPsk;
  s.no_auth = first.no_auth;
  s.key = h.join_key ? h.join_key : first.key;
  s.suites = first.suites;
  s.ktls = first.ktls;
  return s;
}

// What another attempt may cure: a stranger before us in the queue, a listener that is not back
// yet.
bool may_pass(const Error& error) {
  return error.origin() == Origin::Local &&
         (error.status() == ExitStatus::Network || error.status() == ExitStatus::Timeout);
}

}  // namespace

Joiner::Joiner(HostPort address, Role role, const Security& security, const Handshaken& first,
               std::chrono::seconds idle)
    : address_(std::move(address)),
      role_(role),
      security_(further_security(security, first)),
      idle_(idle) {}

Joiner::Joiner(Listener listener, Role role, const Security& security, const Handshaken& first,
               std::chrono::seconds idle)
    : listener_(std::move(listener)),
      role_(role),
      security_(further_security(security, first)),
      idle_(idle) {}

void Joiner::prepare() {
  if (listener_) listener_->resume();
}

std::unique_ptr<Channel> Joiner::join(uint32_t index) {
  const auto give_up = Clock::now() + idle_;
  auto channel = listener_ ? accept(index, give_up) : connect(index, give_up);
  channel->socket().set_deadline(std::nullopt);
  return channel;
}

std::unique_ptr<Channel> Joiner::connect(uint32_t index, Clock::time_point give_up) {
  for (;;) {
    const auto left = std::chrono::floor<std::chrono::seconds>(give_up - Clock::now());
    try {
      Socket socket = connect_to(*address_, Family::Any, left, idle_);
      return exchange_join(connector_handshake(std::move(socket), role_, security_), index, true);
    } catch (const Error& error) {
      if (!may_pass(error) || Clock::now() + kRetryPause >= give_up) throw;
      pause_for(kRetryPause);
    }
  }
}

std::unique_ptr<Channel> Joiner::accept(uint32_t index, Clock::time_point give_up) {
  for (;;) {
    auto socket = listener_->accept(give_up, idle_);
    if (!socket)
      throw Error(ExitStatus::Timeout,
                  "the peer did not connect again within " + std::to_string(idle_.count()) + " s");
    try {
      auto h = listener_handshake(std::move(*socket), role_, security_, give_up);
      if (!h) continue;
      auto channel = exchange_join(std::move(*h), index, false);
      listener_->pause();
      return channel;
    } catch (const Error&) {
      check_stop();  // a stranger: whoever does not have the key of this session does not end it
    }
  }
}

std::unique_ptr<Channel> Joiner::exchange_join(Handshaken h, uint32_t index, bool connector) {
  const std::string peer = h.channel->socket().peer();
  Link link(std::move(h.channel));
  const Join mine{h.connector_preface, h.listener_preface, session_, index};
  if (connector) link.send(FrameType::Join, 0, 0, encode(mine));
  const Frame frame = link.read();
  if (frame.header.type != FrameType::Join) unexpected_frame(frame.header, "instead of JOIN");
  const Join theirs = decode_join(frame.body);
  if (theirs.connector_preface != mine.connector_preface ||
      theirs.listener_preface != mine.listener_preface)
    throw Error(ExitStatus::Auth, peer + ": the preface was changed on its way");
  if (theirs.session != mine.session || theirs.index != mine.index)
    throw Error(ExitStatus::Protocol, peer + ": JOIN for another session or connection");
  if (!connector) link.send(FrameType::Join, 0, 0, encode(mine));
  return link.take_channel();
}

}  // namespace zx
