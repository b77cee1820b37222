// SPDX-License-Identifier: MIT
// OpenEntries: the entries that were announced and are not concluded yet, for all lanes.
// Thread-safe. Ids go up by one, so everything below the last one that is not here is done: nothing
// is remembered of it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>

#include "common/base/wake_fd.h"
#include "common/wire/frame.h"
#include "zrecv/incoming_entry.h"

namespace zx {

class OpenEntries {
 public:
  using Entry = std::shared_ptr<IncomingEntry>;

  /// `event` is set when there may be something for next_ready(). It must outlive this.
  explicit OpenEntries(WakeFd& event) : event_(event) {}

  // Any thread.

  /// The entry of a frame; nothing for one that is done. Throws Error{Protocol} for one that was
  /// never announced.
  Entry find(const FrameHeader& header) const;
  /// Whether the ENTRY of this frame has come: a block may overtake it on another connection.
  bool is_announced(const FrameHeader& header) const {
    const std::lock_guard lock(mutex_);
    return is_announced_locked(header.entry);
  }
  /// Waits for that. Throws Error{Timeout} after the limit. Looks for a stop signal.
  void await(const FrameHeader& header, std::chrono::milliseconds limit) const;
  /// A block of this entry was settled, or the entry has failed: finds out whether it is ready.
  /// False when nothing more is wanted of it. Throws Error{Protocol} when too many entries of
  /// several blocks are open; one block that is damaged while too many others are is its failure.
  bool settled(const Entry& entry, bool damaged);
  /// The lane is gone, and with it all blocks that it has not settled.
  void release(uint16_t lane);

  // Of the main thread.

  /// The next id is this entry's; null when it is done already.
  void announce(Entry entry);
  /// The next id is that of one that asks, and is wanted: until arrive() it is not announced.
  void announce_later();
  /// Its ENTRY has come: it is this, or null.
  void arrive(uint64_t id, Entry entry);
  uint64_t last_id() const {
    const std::lock_guard lock(mutex_);
    return last_id_;
  }
  size_t size() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
  }
  /// Whether every entry that is open has had its END.
  bool all_have_end() const;
  /// An entry to be concluded, and then remove()d; null when there is none.
  Entry next_ready();
  void remove(const Entry& entry);

 private:
  bool is_one_too_many(const Entry& entry);
  void open_locked(uint64_t id, Entry entry);
  bool is_announced_locked(uint64_t id) const { return id <= last_id_ && !later_.contains(id); }

  WakeFd& event_;
  mutable std::mutex mutex_;  // for all that follows
  mutable std::condition_variable announced_;
  uint64_t last_id_ = 0;
  std::set<uint64_t> later_;  // of announce_later()
  std::map<uint64_t, Entry> open_;
  std::deque<Entry> ready_;
  std::set<uint64_t> holding_;  // a descriptor, for longer than one flight of frames
  Entry pipe_;                  // looked at at every event: it can fail by itself
};

}  // namespace zx
