// SPDX-License-Identifier: MIT
#include "common/session/arrivals.h"

#include <algorithm>
#include <system_error>

#include "common/base/error.h"
#include "common/base/stop.h"
#include "common/base/wait.h"
#include "common/session/session.h"

namespace zx {
namespace {

// How long somebody may take to prove who he is: the handshake of a link with half a second of
// delay fits.
constexpr std::chrono::seconds kProofLimit{3};
// Connections that have not said anything yet cost a descriptor each; the oldest goes first.
constexpr size_t kMaxSilent = 32;
// Of those that speak, each has a thread. Others wait for one of them to end.
constexpr size_t kMaxVisitors = 16;
constexpr std::chrono::milliseconds kReapInterval{100};
constexpr std::chrono::seconds kNoteInterval{1};

}  // namespace

// Somebody who speaks, on a thread of his own.
struct Arrivals::Visitor {
  explicit Visitor(Socket s) : socket(std::move(s)) {}
  Socket socket;
  std::atomic<bool> ended{false};
  std::thread thread;
};

Arrivals::Arrivals(Listener listener, const Side& side)
    : listener_(std::move(listener)), side_(side), thread_([this] { run(); }) {}

Arrivals::~Arrivals() {
  ending_ = true;
  wake_.set();
  thread_.join();
  for (const auto& visitor : visitors_) visitor->thread.join();
}

void Arrivals::run() {
  const CancelScope scope(ending_);
  const auto idle = silence_limit(side_.timeout);
  std::vector<Socket> silent;
  try {
    for (;;) {
      check_stop();
      reap();
      std::vector<Watched> fds{{wake_.fd()}, {listener_.fd()}};
      if (visitors_.size() < kMaxVisitors)
        for (const Socket& s : silent) fds.push_back({s.fd()});
      // Those that have ended make room for others.
      const auto soon = visitors_.empty() ? Clock::time_point::max() : Clock::now() + kReapInterval;
      const auto ready = wait_any(fds, soon);
      if (!ready || *ready == 0) continue;
      if (*ready >= 2) {
        const auto at = silent.begin() + static_cast<std::ptrdiff_t>(*ready - 2);
        visitors_.push_back(std::make_unique<Visitor>(std::move(*at)));
        silent.erase(at);
        start(*visitors_.back());
        continue;
      }
      try {
        if (auto socket = listener_.accept(Clock::now(), idle))
          silent.push_back(std::move(*socket));
      } catch (const Error& error) {
        // Mostly for want of descriptors, which strangers hold. The one who is wanted comes again.
        tell(error.what());
        if (!silent.empty()) silent.erase(silent.begin());
        pause_for(kReapInterval);
      }
      if (silent.size() > kMaxSilent) silent.erase(silent.begin());
    }
  } catch (const Cancelled&) {
  } catch (const Interrupted&) {  // the main thread sees it too
  } catch (...) {
    keep_fault();
  }
}

void Arrivals::keep_fault() {
  const std::lock_guard lock(mutex_);
  if (!fault_) fault_ = std::current_exception();
  changed_.notify_all();
}

void Arrivals::start(Visitor& visitor) {
  try {
    visitor.thread = std::thread([this, &visitor] { receive(visitor); });
  } catch (const std::system_error& error) {
    tell(visitor.socket.peer() + ": no thread for it: " + error.what());
    visitors_.pop_back();
  }
}

void Arrivals::reap() {
  std::erase_if(visitors_, [](const auto& visitor) {
    if (!visitor->ended) return false;
    visitor->thread.join();
    return true;
  });
}

void Arrivals::receive(Visitor& visitor) {
  const CancelScope scope(ending_);
  try {
    judge(visitor);
  } catch (const Cancelled&) {
  } catch (const Interrupted&) {
  } catch (const Error& error) {
    if (is_fault_here(error))
      keep_fault();
    else
      tell(error.what());
  } catch (...) {
    keep_fault();
  }
  visitor.ended = true;
}

void Arrivals::judge(Visitor& visitor) {
  const auto wanted = [this](bool join) -> std::optional<Security> {
    const std::lock_guard lock(mutex_);
    if (join) return join_security_;
    return closed_ ? std::nullopt : std::optional(side_.security);
  };
  auto h =
      listener_handshake(std::move(visitor.socket), side_.role, wanted, Clock::now() + kProofLimit);
  if (!h) return;
  if (h->joins) return take_joiner(std::move(*h));
  const std::lock_guard lock(mutex_);
  if (closed_) return;  // somebody else was faster
  peer_ = std::move(*h);
  closed_ = true;
  join_security_.reset();  // a session that it was lost from is none from now on
  changed_.notify_all();
}

void Arrivals::take_joiner(Handshaken h) {
  const std::string peer = h.channel->socket().peer();
  Link link(std::move(h.channel));
  const Join join = read_join(link, h.prefaces);
  h.channel = link.take_channel();
  h.channel->socket().set_deadline(std::nullopt);  // it may wait for who takes it
  const std::lock_guard lock(mutex_);
  const auto last = generations_.find(join.stream);
  if (!join_security_ || join.session != session_ || join.stream >= streams_ ||
      (last != generations_.end() && join.generation <= last->second))
    throw Error(ExitStatus::Protocol, peer + ": JOIN for a connection that is not expected");
  generations_[join.stream] = join.generation;
  joiners_.insert_or_assign(join.stream, Joiner{std::move(h), join});
  changed_.notify_all();
  fence_(join.stream, join.generation);
}

Join read_join(Link& link, const Prefaces& prefaces) {
  const Frame frame = link.read();
  if (frame.header.type != FrameType::Join) unexpected_frame(frame.header, "instead of JOIN");
  const Join join = decode<Join>(frame.body);
  if (join.prefaces != prefaces)
    throw Error(ExitStatus::Auth,
                link.channel().socket().peer() + ": the preface was changed on its way");
  return join;
}

void Arrivals::tell(const std::string& text) {
  const auto now = Clock::now();
  std::unique_lock lock(mutex_);
  const bool due = now - last_note_ >= kNoteInterval;
  if (due) last_note_ = now;
  lock.unlock();
  const std::string line = "turned away: " + text;
  if (due)
    side_.notices.note(line);
  else
    side_.notices.detail(line);
}

std::optional<Handshaken> Arrivals::peer(Clock::time_point give_up, int other) {
  std::unique_lock lock(mutex_);
  closed_ = peer_.has_value();
  (void)wait_for_change(changed_, lock, give_up, [&] {
    return fault_ != nullptr || peer_ || joiners_.contains(0) ||
           wait_any({{other}}, Clock::time_point::min()).has_value();
  });
  if (fault_) std::rethrow_exception(fault_);
  closed_ = closed_ || joiners_.contains(0);
  return std::exchange(peer_, std::nullopt);
}

void Arrivals::admit(const Security& security, const SessionId& session,
                     std::function<void(uint16_t, uint32_t)> fence) {
  const std::lock_guard lock(mutex_);
  join_security_ = security;
  session_ = session;
  fence_ = std::move(fence);
  generations_.clear();
  joiners_.clear();
}

void Arrivals::refuse_joins() {
  const std::lock_guard lock(mutex_);
  join_security_.reset();
  fence_ = nullptr;
}

uint32_t Arrivals::generation_of(uint16_t stream) {
  const std::lock_guard lock(mutex_);
  const auto found = generations_.find(stream);
  return found == generations_.end() ? 0 : found->second;
}

void Arrivals::allow(uint16_t count) {
  const std::lock_guard lock(mutex_);
  streams_ = count;
}

std::optional<Arrivals::Joiner> Arrivals::take(uint16_t stream, Clock::time_point give_up) {
  std::unique_lock lock(mutex_);
  (void)wait_for_change(changed_, lock, give_up,
                        [&] { return fault_ != nullptr || joiners_.contains(stream); });
  if (fault_) std::rethrow_exception(fault_);
  auto node = joiners_.extract(stream);
  if (node.empty()) return std::nullopt;
  return std::move(node.mapped());
}

}  // namespace zx
