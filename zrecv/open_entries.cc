// SPDX-License-Identifier: MIT
#include "zrecv/open_entries.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/wait.h"

namespace zx {

void OpenEntries::announce(Entry entry) {
  const std::lock_guard lock(mutex_);
  open_locked(++last_id_, std::move(entry));
}

void OpenEntries::announce_later() {
  const std::lock_guard lock(mutex_);
  later_.insert(++last_id_);
}

void OpenEntries::arrive(uint64_t id, Entry entry) {
  const std::lock_guard lock(mutex_);
  later_.erase(id);
  open_locked(id, std::move(entry));
}

void OpenEntries::open_locked(uint64_t id, Entry entry) {
  if (entry && entry->is_pipe()) pipe_ = entry;
  if (entry) open_.emplace(id, std::move(entry));
  announced_.notify_all();
}

OpenEntries::Entry OpenEntries::find(const FrameHeader& header) const {
  const std::lock_guard lock(mutex_);
  if (header.entry == 0 || !is_announced_locked(header.entry))
    throw Error(ExitStatus::Protocol, std::string("peer sent ") + frame_name(header.type) +
                                          " for an entry that is not open");
  const auto found = open_.find(header.entry);
  return found == open_.end() ? nullptr : found->second;
}

void OpenEntries::await(const FrameHeader& header, std::chrono::milliseconds limit) const {
  std::unique_lock lock(mutex_);
  if (!wait_for_change(announced_, lock, Clock::now() + limit,
                       [&] { return is_announced_locked(header.entry); }))
    throw Error(ExitStatus::Timeout, "a block came, but not the ENTRY it belongs to");
}

bool OpenEntries::settled(const Entry& entry, bool damaged) {
  const bool several = entry->has_several_blocks();
  bool ready = entry->ready();
  if (!ready && (damaged || several) && is_one_too_many(entry)) {
    if (several)
      throw Error(ExitStatus::Protocol, "peer sent blocks of more than " +
                                            std::to_string(kMaxOpenFiles) + " entries at a time");
    entry->fail(ExitStatus::Integrity,
                entry->describe() + ": arrived damaged, as too many others did");
    ready = true;
  }
  if (!ready) return true;
  const std::lock_guard lock(mutex_);
  ready_.push_back(entry);
  event_.set();
  return false;
}

bool OpenEntries::is_one_too_many(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  if (!open_.contains(entry->id())) return false;
  holding_.insert(entry->id());
  return holding_.size() > kMaxOpenFiles;
}

void OpenEntries::release(uint16_t lane) {
  std::vector<Entry> all;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, entry] : open_) all.push_back(entry);
  }
  for (const Entry& entry : all) entry->release(lane);
}

bool OpenEntries::all_have_end() const {
  const std::lock_guard lock(mutex_);
  return std::ranges::all_of(open_, [](const auto& item) { return item.second->has_end(); });
}

OpenEntries::Entry OpenEntries::next_ready() {
  const std::lock_guard lock(mutex_);
  while (!ready_.empty() && !open_.contains(ready_.front()->id())) ready_.pop_front();
  if (!ready_.empty()) return ready_.front();
  return pipe_ && pipe_->ready() ? pipe_ : nullptr;
}

void OpenEntries::remove(const Entry& entry) {
  const std::lock_guard lock(mutex_);
  open_.erase(entry->id());
  holding_.erase(entry->id());
  if (pipe_ == entry) pipe_ = nullptr;
  if (!ready_.empty() && ready_.front() == entry) ready_.pop_front();
}

}  // namespace zx
