// SPDX-License-Identifier: MIT
#include "zsend/further_lanes.h"

#include "common/base/defer.h"
#include "common/base/error.h"
#include "zsend/lane.h"

namespace zx {

FurtherLanes::FurtherLanes(Session& session, uint16_t count, const EngineOptions& engines,
                           Console& console)
    : session_(session),
      engines_(engines),
      console_(console),
      queue_(count - 1U),
      connections_(session, count - 1U, console) {}

void FurtherLanes::start() {
  connections_.start([this](uint16_t, Link& link) { return serve(link); });
}

bool FurtherLanes::offer(Block block) {
  return alive() && queue_.offer(std::move(block));
}

std::vector<Delivered> FurtherLanes::delivered() {
  connections_.check();
  const std::lock_guard lock(mutex_);
  return std::exchange(delivered_, {});
}

void FurtherLanes::finish() {
  queue_.close();
  connections_.finish();
}

// One connection, on its thread. False when its key is worn.
bool FurtherLanes::serve(Link& link) {
  SendEngines engines(link.channel(), engines_);
  Lane lane(link, engines, console_);
  // Whatever the receiver has not acknowledged is for others to send.
  const Defer at_the_end([&] { queue_.give_back(lane.give_back()); });
  for (;;) {
    while (const auto frame = link.read_if_any()) {
      if (frame->header.type != FrameType::Ack && frame->header.type != FrameType::Retry)
        unexpected_frame(frame->header, "on a further connection");
      auto done = lane.take_answer(*frame);
      if (!done) continue;
      const std::lock_guard lock(mutex_);
      delivered_.push_back(std::move(*done));
      connections_.wake();
    }
    const bool worn = link.sent_bytes() >= session_.key_limit_bytes();
    const bool closed = queue_.closed();
    if (lane.empty() && closed) {
      link.send(FrameType::Bye, 0, 0, encode(Bye{ExitStatus::Ok}));
      return true;
    }
    if (lane.empty() && worn) {
      link.flush();
      return false;
    }
    const bool room = !worn && lane.has_room();
    if (room) {
      if (auto block = queue_.take()) {
        (void)lane.send(std::move(*block), nullptr);
        continue;
      }
    }
    link.flush();
    link.wait(session_.heartbeat(), room && !closed ? queue_.event_fd() : -1);
  }
}

}  // namespace zx
