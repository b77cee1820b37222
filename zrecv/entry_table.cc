// SPDX-License-Identifier: MIT
#include "zrecv/entry_table.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// A waiting thread looks for a stop so often.
constexpr std::chrono::milliseconds kLookForStop{100};

}  // namespace

void EntryTable::add(uint64_t id, Entry entry) {
  const std::lock_guard lock(mutex_);
  open_.emplace(id, std::move(entry));
  last_id_ = std::max(last_id_, id);
  announced_.notify_all();
}

void EntryTable::drop(uint64_t id) {
  const Entry last = take(id);  // destroyed without the lock: it removes a file
  const std::lock_guard lock(mutex_);
  dropped_.insert(id);
  last_id_ = std::max(last_id_, id);
  announced_.notify_all();
}

EntryTable::Entry EntryTable::take(uint64_t id) {
  const std::lock_guard lock(mutex_);
  auto node = open_.extract(id);
  return node.empty() ? nullptr : std::move(node.mapped());
}

EntryTable::Entry EntryTable::find_locked(const FrameHeader& header) const {
  const auto found = open_.find(header.entry);
  if (found != open_.end()) return found->second;
  if (!dropped_.contains(header.entry))
    throw Error(ExitStatus::Protocol, std::string("peer sent ") + frame_name(header.type) +
                                          " for an entry that is not open");
  return nullptr;
}

EntryTable::Entry EntryTable::find(const FrameHeader& header) const {
  const std::lock_guard lock(mutex_);
  return find_locked(header);
}

EntryTable::Entry EntryTable::await(const FrameHeader& header, std::chrono::seconds limit) const {
  const auto give_up = std::chrono::steady_clock::now() + limit;
  std::unique_lock lock(mutex_);
  while (header.entry > last_id_) {
    if (std::chrono::steady_clock::now() >= give_up)
      throw Error(ExitStatus::Timeout, "a block came, but not the ENTRY it belongs to");
    announced_.wait_for(lock, kLookForStop);
    check_stop();
  }
  // Complete without this frame: it was on its way over a connection that its sender has given up.
  if (header.entry > 0 && !open_.contains(header.entry) && !dropped_.contains(header.entry))
    throw Error(ExitStatus::Network, "a block came late: its entry is complete");
  return find_locked(header);
}

size_t EntryTable::size() const {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

std::vector<std::pair<uint64_t, EntryTable::Entry>> EntryTable::all() const {
  const std::lock_guard lock(mutex_);
  return {open_.begin(), open_.end()};
}

std::vector<std::pair<uint64_t, EntryTable::Entry>> EntryTable::failed() const {
  auto out = all();
  std::erase_if(out, [](const auto& item) { return !item.second->failed(); });
  return out;
}

void EntryTable::release(uint32_t stream) {
  for (const auto& [id, entry] : all()) entry->release(stream);
}

}  // namespace zx
