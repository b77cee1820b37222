// SPDX-License-Identifier: MIT
#include "zrecv/further_lanes.h"

#include "common/base/defer.h"
#include "common/base/error.h"
#include "zrecv/lane.h"

namespace zx {
namespace {

// The peer says something in a shorter time, or is lost.
constexpr std::chrono::hours kNoLimit{1};

}  // namespace

IncomingLanes::IncomingLanes(Session& session, uint16_t count, OpenEntries& entries,
                             const EngineOptions& engines, Console& console)
    : session_(session),
      entries_(entries),
      engines_(engines),
      console_(console),
      connections_(session, count - 1U, console) {
  connections_.start([this](uint16_t number, Link& link) { return serve(number, link); });
}

// True after the BYE. However it ends, what the lane has not settled comes over another connection.
bool IncomingLanes::serve(uint16_t number, Link& link) {
  const Defer release([&] { entries_.release(number); });
  RecvEngines engines(link.channel(), engines_);
  IncomingLane lane(
      number, link, engines, entries_,
      [this](uint16_t rival) { session_.connections().evict(rival); }, session_.timeout(),
      console_);
  for (;;) {
    auto frame = link.read_if_any();
    if (!frame) {
      link.wait(kNoLimit);
      continue;
    }
    switch (frame->header.type) {
      case FrameType::Data:
        lane.take(frame->header);
        break;
      case FrameType::Bye:
        (void)decode<Bye>(frame->body);
        return true;
      default:
        unexpected_frame(frame->header, "on a further connection");
    }
  }
}

}  // namespace zx
