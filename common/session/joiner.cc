// SPDX-License-Identifier: MIT
#include "common/session/joiner.h"

#include <algorithm>
#include <exception>

#include "common/base/error.h"
#include "common/base/stop.h"
#include "common/session/link.h"

namespace zx {
namespace {

constexpr std::chrono::milliseconds kRetryPause{200};
// A waiting thread looks for a stop signal so often.
constexpr std::chrono::milliseconds kLookForStop{100};

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

Join read_join(Link& link, const Join& mine) {
  const std::string peer = link.channel().socket().peer();
  const Frame frame = link.read();
  if (frame.header.type != FrameType::Join) unexpected_frame(frame.header, "instead of JOIN");
  const Join theirs = decode_join(frame.body);
  if (theirs.connector_preface != mine.connector_preface ||
      theirs.listener_preface != mine.listener_preface)
    throw Error(ExitStatus::Auth, peer + ": the preface was changed on its way");
  if (theirs.session != mine.session)
    throw Error(ExitStatus::Protocol, peer + ": JOIN for another session or connection");
  return theirs;
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

void Joiner::prepare(uint32_t index) {
  if (!listener_) return;
  const std::lock_guard lock(mutex_);
  expected_.insert(index);
  listener_->resume();
}

bool Joiner::expects(uint32_t index) {
  const std::lock_guard lock(mutex_);
  return expected_.contains(index);
}

void Joiner::forget(uint32_t index) {
  const std::lock_guard lock(mutex_);
  expected_.erase(index);
  arrived_.erase(index);
  if (expected_.empty()) listener_->pause();
}

std::unique_ptr<Channel> Joiner::join(uint32_t index, std::chrono::seconds limit, bool insist) {
  const auto give_up = Clock::now() + limit;
  auto channel = listener_ ? accept(index, give_up) : connect(index, give_up, insist);
  channel->socket().set_deadline(std::nullopt);
  return channel;
}

std::unique_ptr<Channel> Joiner::connect(uint32_t index, Clock::time_point give_up,
                                         bool insist) const {
  for (;;) {
    const auto left = std::chrono::floor<std::chrono::seconds>(give_up - Clock::now());
    try {
      Socket socket = connect_to(*address_, Family::Any, insist ? left : std::chrono::seconds(0),
                                 idle_, give_up);
      Handshaken h = connector_handshake(std::move(socket), role_, security_, give_up);
      const Join mine{h.connector_preface, h.listener_preface, session_, index};
      Link link(std::move(h.channel));
      link.send(FrameType::Join, 0, 0, encode(mine));
      if (read_join(link, mine).index != index)
        throw Error(ExitStatus::Protocol,
                    to_text(*address_) + ": JOIN for another session or connection");
      return link.take_channel();
    } catch (const Error& error) {
      if (!insist || !may_pass(error) || Clock::now() + kRetryPause >= give_up) throw;
      pause_for(kRetryPause);
    }
  }
}

std::unique_ptr<Channel> Joiner::accept(uint32_t index, Clock::time_point give_up) {
  struct Forget {
    Joiner& joiner;
    uint32_t index;
    ~Forget() { joiner.forget(index); }
  } const at_the_end{*this, index};

  std::unique_lock lock(mutex_);
  for (;;) {
    const auto found = arrived_.find(index);
    if (found != arrived_.end()) return std::move(found->second);
    if (Clock::now() >= give_up)
      throw Error(ExitStatus::Timeout, "the peer did not connect again in time");
    if (accepting_) {
      changed_.wait_for(lock, kLookForStop);
      check_stop();
      continue;
    }
    accepting_ = true;
    lock.unlock();
    std::optional<Joined> joined;
    std::exception_ptr error;
    try {
      joined = accept_one(give_up);
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    accepting_ = false;
    changed_.notify_all();
    if (error) {
      lock.unlock();
      std::rethrow_exception(error);
    }
    // Not one that nobody waits for any more: it would stay open to the end.
    if (joined && expected_.contains(joined->index))
      arrived_[joined->index] = std::move(joined->channel);
  }
}

// Nothing when it was a stranger: whoever does not have the key of this session does not end it.
std::optional<Joiner::Joined> Joiner::accept_one(Clock::time_point give_up) {
  auto socket = lobby_.next(*listener_, give_up, idle_);
  if (!socket) return std::nullopt;
  try {
    const auto limit = std::min(give_up, Clock::now() + kStrangerLimit);
    auto h = listener_handshake(std::move(*socket), role_, security_, limit);
    if (h) return answer_join(std::move(*h));
  } catch (const KernelTlsError&) {
    throw;  // ours, not a stranger's
  } catch (const Error& error) {
    if (error.status() == ExitStatus::Internal) throw;
    check_stop();
  }
  return std::nullopt;
}

Joiner::Joined Joiner::answer_join(Handshaken h) {
  const std::string peer = h.channel->socket().peer();
  const Join mine{h.connector_preface, h.listener_preface, session_, 0};
  Link link(std::move(h.channel));
  const Join theirs = read_join(link, mine);
  if (!expects(theirs.index))
    throw Error(ExitStatus::Protocol, peer + ": JOIN for a connection that is not expected");
  link.send(FrameType::Join, 0, 0, encode(theirs));
  return {theirs.index, link.take_channel()};
}

}  // namespace zx
