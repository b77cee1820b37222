// SPDX-License-Identifier: MIT
#include "common/session/joiner.h"

#include <poll.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/stop.h"
#include "common/session/link.h"

namespace zx {
namespace {

constexpr std::chrono::milliseconds kRetryPause{200};
// How long somebody who reaches the listener may take to prove to be the peer: the handshake of a
// link with half a second of delay fits.
constexpr std::chrono::seconds kStrangerLimit{3};
// Connections that have not said anything yet; the oldest goes first.
constexpr size_t kMaxWaiting = 32;

Security further_security(const Security& first, const Handshaken& h) {
  Security s;
  s.mode = first.mode == Mode::Plain ? Mode::Plain : Mode::TlsPsk;
  s.no_auth = first.no_auth;
  s.key = h.join_key ? h.join_key : first.key;
  s.suites = h.suite;  // the same: whether a key wears was judged by it
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
      Socket socket = connect_to(*address_, Family::Any, left, idle_, give_up);
      return exchange_join(connector_handshake(std::move(socket), role_, security_, give_up), index,
                           true);
    } catch (const Error& error) {
      if (!may_pass(error) || Clock::now() + kRetryPause >= give_up) throw;
      pause_for(kRetryPause);
    }
  }
}

std::unique_ptr<Channel> Joiner::accept(uint32_t index, Clock::time_point give_up) {
  std::vector<Socket> waiting;
  for (;;) {
    Socket socket = next_that_speaks(&waiting, give_up);
    try {
      const auto limit = std::min(give_up, Clock::now() + kStrangerLimit);
      auto h = listener_handshake(std::move(socket), role_, security_, limit);
      if (!h) continue;
      auto channel = exchange_join(std::move(*h), index, false);
      listener_->pause();
      return channel;
    } catch (const KernelTlsError&) {
      throw;  // ours, not a stranger's
    } catch (const Error& error) {
      if (error.status() == ExitStatus::Internal) throw;
      check_stop();  // a stranger: whoever does not have the key of this session does not end it
    }
  }
}

// The peer speaks first, and at once: who connects and is silent costs nobody else any time.
Socket Joiner::next_that_speaks(std::vector<Socket>* waiting, Clock::time_point give_up) {
  for (;;) {
    if (Clock::now() >= give_up)
      throw Error(ExitStatus::Timeout,
                  "the peer did not connect again within " + std::to_string(idle_.count()) + " s");
    std::vector<pollfd> fds{{listener_->fd(), POLLIN, 0}};
    for (const Socket& s : *waiting) fds.push_back({s.fd(), POLLIN, 0});
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(give_up - Clock::now());
    if (poll(fds.data(), fds.size(), static_cast<int>(std::max<int64_t>(left.count(), 0))) < 0)
      check_stop();
    for (size_t i = 0; i < waiting->size(); ++i) {
      if (fds[i + 1].revents == 0) continue;
      Socket speaks = std::move((*waiting)[i]);
      waiting->erase(waiting->begin() + static_cast<std::ptrdiff_t>(i));
      return speaks;
    }
    if (fds[0].revents == 0) continue;
    if (auto socket = listener_->accept(give_up, idle_)) waiting->push_back(std::move(*socket));
    if (waiting->size() > kMaxWaiting) waiting->erase(waiting->begin());
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
