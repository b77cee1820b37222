// SPDX-License-Identifier: MIT
// Replay: the counted messages that this side has sent over the first connection, until the peer
// has counted them, so that the connection that replaces a lost one begins with those it has missed
// (as XEP-0198 does for XMPP). Pure.
#pragma once

#include <deque>

#include "common/base/error.h"
#include "common/wire/codec.h"
#include "common/wire/limits.h"

namespace zx {

class Replay {
 public:
  /// A whole frame, which is the next one. Throws Error{Protocol} when the peer counts nothing for
  /// so long that too many are kept.
  void keep(Bytes frame) {
    bytes_ += frame.size();
    kept_.push_back(std::move(frame));
    if (kept_.size() > kMaxUncounted || bytes_ > kMaxUncountedBytes)
      throw Error(ExitStatus::Protocol, "peer does not count what it is sent");
  }
  /// The peer has taken so many in all. Throws Error{Protocol} when it cannot have.
  void forget(uint64_t taken) {
    if (taken < forgotten_ || taken - forgotten_ > kept_.size())
      throw Error(ExitStatus::Protocol, "peer has counted messages that were not sent");
    for (; forgotten_ < taken; ++forgotten_) {
      bytes_ -= kept_.front().size();
      kept_.pop_front();
    }
  }
  size_t size() const { return kept_.size(); }
  /// What the peer has not counted, in order.
  Bytes rest() const {
    Bytes out;
    for (const Bytes& frame : kept_) out.insert(out.end(), frame.begin(), frame.end());
    return out;
  }

 private:
  std::deque<Bytes> kept_;
  uint64_t forgotten_ = 0;
  size_t bytes_ = 0;
};

/// The last ACKs of the receiver: the connection that replaces a lost one begins with those that
/// the sender has not heard, so that it does not send these blocks again. As many as can be on
/// their way. Pure.
class RecentAcks {
 public:
  /// A whole frame, which is the next one.
  void keep(Bytes frame) {
    ++sent_;
    kept_.push_back(std::move(frame));
    if (kept_.size() > kMaxUnacknowledged) kept_.pop_front();
  }
  uint64_t sent() const { return sent_; }
  /// What the peer has not heard, in order. Throws Error{Protocol} for an impossible count.
  Bytes rest(uint64_t heard) const {
    if (heard > sent_ || sent_ - heard > kept_.size())
      throw Error(ExitStatus::Protocol, "peer has counted other ACKs than were sent");
    Bytes out;
    for (auto frame = kept_.end() - static_cast<std::ptrdiff_t>(sent_ - heard);
         frame != kept_.end(); ++frame)
      out.insert(out.end(), frame->begin(), frame->end());
    return out;
  }

 private:
  std::deque<Bytes> kept_;
  uint64_t sent_ = 0;
};

}  // namespace zx
