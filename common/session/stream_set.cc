// SPDX-License-Identifier: MIT
#include "common/session/stream_set.h"

#include <sys/socket.h>

#include "common/base/error.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// To connect, or be connected to. Less than a person waits for; the others carry the blocks.
constexpr std::chrono::seconds kJoinLimit{10};
// At the end: for those that are just about to end, or still to connect.
constexpr std::chrono::milliseconds kGrace{2000};
constexpr std::chrono::milliseconds kLook{20};

}  // namespace

StreamSet::StreamSet(Session& session, unsigned further, Say say)
    : session_(session), say_(std::move(say)) {
  for (unsigned i = 1; i <= further; ++i) {
    slots_.push_back(std::make_unique<Slot>());
    session_.joiner().prepare(join_index(i, 0));
  }
  session_.share_rate(further + 1);
}

StreamSet::~StreamSet() {
  cancel_all();
  for (std::thread& thread : threads_) thread.join();
}

void StreamSet::start(Serve serve, Ended ended) {
  serve_ = std::move(serve);
  ended_ = std::move(ended);
  alive_ = static_cast<unsigned>(slots_.size());
  for (uint32_t i = 1; i <= slots_.size(); ++i) threads_.emplace_back([this, i] { run(i); });
}

void StreamSet::run(uint32_t number) {
  Slot& slot = *slots_[number - 1];
  const CancelScope scope(slot.cancelled);
  try {
    for (uint32_t generation = 0; serve_one(number, generation); ++generation) {
    }
  } catch (const Error& error) {
    const bool loss = error.origin() == Origin::Local && (error.status() == ExitStatus::Network ||
                                                          error.status() == ExitStatus::Timeout);
    if (loss)
      record_loss(number, error.what());
    else
      record_failure(std::current_exception());
  } catch (const Cancelled&) {
    record_loss(number, "the peer goes on without it");
  } catch (const Interrupted&) {
    // The main thread sees the signal too.
  } catch (...) {
    record_failure(std::current_exception());
  }
  ended_(number);
  --alive_;
  slot.ended = true;
  wake();
}

bool StreamSet::serve_one(uint32_t number, uint32_t generation) {
  Slot& slot = *slots_[number - 1];
  std::unique_ptr<Channel> channel;
  try {
    channel = session_.joiner().join(join_index(number, generation), kJoinLimit, /*insist=*/false);
  } catch (const Error& error) {
    // Whatever stands in the way of a further connection, the session does not depend on it.
    throw Error(ExitStatus::Network, error.what());
  }
  Link link(std::move(channel));
  session_.limit_rate(link.channel().socket());
  const Socket& socket = link.channel().socket();
  struct Registered {
    StreamSet& set;
    Slot& slot;
    const Socket& socket;
    Registered(StreamSet& s, Slot& at, const Socket& of) : set(s), slot(at), socket(of) {
      const std::lock_guard lock(set.mutex_);
      slot.fd = socket.fd();
    }
    ~Registered() {
      const TcpFigures figures = zx::tcp_figures(socket.fd());
      const std::lock_guard lock(set.mutex_);
      set.tcp_.add(figures);
      slot.fd = -1;
    }
  } const registered(*this, slot, socket);
  check_stop();  // what cancelled it before that did not find the socket
  if (generation == 0) ++opened_;
  Stream stream{number, link,
                [&] { session_.joiner().prepare(join_index(number, generation + 1)); }};
  const bool again = serve_(stream);
  link.channel().finish_sending();
  return again;
}

void StreamSet::record_loss(uint32_t number, const std::string& why) {
  if (ending_) return;
  ++lost_;
  say_("connection " + std::to_string(number) + " is lost, the others go on: " + why);
}

void StreamSet::record_failure(std::exception_ptr failure) {
  {
    const std::lock_guard lock(mutex_);
    if (!failure_ && !ending_) failure_ = std::move(failure);
  }
  wake();
}

void StreamSet::check() {
  event_.clear();
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

// shutdown(2) ends every call that waits for the socket, at once; the flag all other waits.
void StreamSet::cancel(Slot& slot) {
  slot.cancelled = true;
  const std::lock_guard lock(mutex_);
  if (slot.fd >= 0) (void)shutdown(slot.fd, SHUT_RDWR);
}

void StreamSet::cancel_all() {
  ending_ = true;
  for (const auto& slot : slots_) cancel(*slot);
}

void StreamSet::evict(uint32_t number, uint32_t self) {
  Slot& slot = *slots_.at(number - 1);
  cancel(slot);
  while (!slot.ended) {
    check_stop();
    if (self != 0 && slots_[self - 1]->cancelled)
      throw Error(ExitStatus::Network, "another stream took over");
    std::this_thread::sleep_for(kLook);
  }
}

void StreamSet::finish() {
  const auto give_up = Clock::now() + kGrace;
  while (alive_ > 0 && Clock::now() < give_up) {
    check();
    std::this_thread::sleep_for(kLook);
  }
  cancel_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  check();
}

TcpFigures StreamSet::tcp_figures() const {
  const std::lock_guard lock(mutex_);
  return tcp_;
}

}  // namespace zx
