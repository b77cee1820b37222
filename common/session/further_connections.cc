// SPDX-License-Identifier: MIT
#include "common/session/further_connections.h"

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// At the end: for those that are just about to end.
constexpr std::chrono::milliseconds kGrace{2000};
constexpr std::chrono::milliseconds kLook{20};
// Between two attempts of one that something else than the network stands in the way of.
constexpr std::chrono::milliseconds kLongPause{1000};

}  // namespace

FurtherConnections::FurtherConnections(Session& session, unsigned further, Notices& notices)
    : session_(session), notices_(notices), further_(further) {
  session_.connections().allow(static_cast<uint16_t>(further + 1));
  session_.share_rate(further + 1);
}

FurtherConnections::~FurtherConnections() {
  end_all();
  for (std::thread& thread : threads_) thread.join();
}

void FurtherConnections::start(Serve serve) {
  serve_ = std::move(serve);
  for (uint16_t number = 1; number <= further_; ++number)
    threads_.emplace_back([this, number] { run(number); });
}

// One that is lost is made again, as long as the session goes on: blocks that it had on its way
// have gone to the others meanwhile.
void FurtherConnections::run(uint16_t number) {
  const CancelScope scope(ending_);
  const std::string name = "connection " + std::to_string(number);
  bool told = false;
  Fate fate;
  try {
    bool again = false;
    for (bool served = false; !served; wake()) {
      fate.stood = false;
      const auto begun = Clock::now();
      try {
        served = serve_one(number, fate);
      } catch (const Error& error) {
        if (!is_lost_connection(error)) throw;
        check_stop();
        if (std::exchange(fate.worn, false)) --alive_;
        if (fate.stood) ++lost_;
        if (fate.stood || !std::exchange(told, true))
          notices_.detail(name + (fate.stood ? " is lost" : " cannot be made") +
                          ", the others go on: " + error.what());
        // A path that lets none live is not tried as fast as that goes. (As of the first one.)
        const bool short_lived = fate.stood && Clock::now() - begun < kShortLived;
        if (std::exchange(again, short_lived) && short_lived) pause_for(kRetryPause);
      }
    }
  } catch (const Cancelled&) {
  } catch (const Interrupted&) {  // the main thread sees the signal too
  } catch (...) {
    const std::lock_guard lock(mutex_);
    if (!failure_ && !ending_) failure_ = std::current_exception();
  }
  if (fate.opened) {
    ++opened_;
  } else {
    ++lost_;
    if (!told) notices_.detail(name + " was never made, the others went on");
  }
  wake();
}

// True when it has served to its end.
bool FurtherConnections::serve_one(uint16_t number, Fate& fate) {
  Connections& connections = session_.connections();
  std::unique_ptr<Channel> channel;
  try {
    channel = connections.next(number, {}, Clock::now() + kAttemptLimit).channel;
  } catch (const Error& error) {
    // Whatever stands in the way of a further connection, the session does not depend on it.
    if (!is_lost_connection(error)) pause_for(kLongPause);
    throw Error(ExitStatus::Network, error.what());
  }
  Link link(std::move(channel));
  link.set_heartbeat(session_.heartbeat());
  Socket& socket = link.channel().socket();
  if (!std::exchange(fate.worn, false)) ++alive_;
  const Defer at_the_end([&] {
    connections.forget(number);
    const TcpFigures figures = zx::tcp_figures(socket.fd());
    if (!fate.worn) --alive_;
    // One that the end of the session meets before anything has gone over it was not lost.
    fate.stood = link.received_bytes() > 0 || link.sent_bytes() > 0;
    const std::lock_guard lock(mutex_);
    tcp_.add(figures);
  });
  check_stop();  // what ended all before that did not find the socket
  session_.prepare(socket);
  fate.opened = true;
  bool served = false;
  try {
    served = serve_(number, link);
  } catch (const Error& error) {
    // The other side replaces a connection whose key is worn without a word.
    if (!is_lost_connection(error) || link.channel_bytes() < session_.key_limit_bytes()) throw;
  }
  link.channel().finish_sending();
  fate.worn = !served;
  return served;
}

void FurtherConnections::check() {
  event_.clear();
  const std::lock_guard lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
}

// shutdown(2) ends every call that waits for a socket, at once; the flag all other waits.
void FurtherConnections::end_all() {
  ending_ = true;
  for (uint16_t number = 1; number <= threads_.size(); ++number)
    session_.connections().evict(number);
}

void FurtherConnections::finish() {
  const auto give_up = Clock::now() + kGrace;
  while (alive_ > 0 && Clock::now() < give_up) {
    check();
    pause_for(kLook);
  }
  end_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  check();
}

TcpFigures FurtherConnections::tcp_figures() const {
  const std::lock_guard lock(mutex_);
  return tcp_;
}

}  // namespace zx
