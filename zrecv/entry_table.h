// SPDX-License-Identifier: MIT
// EntryTable: the entries that are being received, for all streams. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "common/wire/frame.h"
#include "zrecv/entry_writer.h"

namespace zx {

class EntryTable {
 public:
  using Entry = std::shared_ptr<EntryWriter>;

  void add(uint64_t id, Entry entry);
  /// Failed or skipped, perhaps before it was added: frames on their way are ignored.
  void drop(uint64_t id);
  /// Complete; out of the table.
  Entry take(uint64_t id);

  /// The entry of a frame; nothing for one that was dropped. Throws Error{Protocol} for one that is
  /// not open.
  Entry find(const FrameHeader& header) const;
  /// The same for a frame that may have overtaken its ENTRY on another connection: waits for that.
  /// Throws Error{Timeout} after the limit, Error{Network} when the entry is complete already.
  Entry await(const FrameHeader& header, std::chrono::seconds limit) const;
  size_t size() const;
  /// Those that have failed, to be dropped.
  std::vector<std::pair<uint64_t, Entry>> failed() const;
  /// A stream is gone, and with it all blocks that it has not settled.
  void release(uint32_t stream);

 private:
  std::vector<std::pair<uint64_t, Entry>> all() const;
  Entry find_locked(const FrameHeader& header) const;

  mutable std::mutex mutex_;
  mutable std::condition_variable announced_;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Entry> open_;
  std::set<uint64_t> dropped_;
};

}  // namespace zx
