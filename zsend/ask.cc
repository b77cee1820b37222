// SPDX-License-Identifier: MIT
// The part of EntrySender that asks about files: which of them the receiver wants is its word, and
// is waited for only when there are as many questions as there may be.
#include <sys/resource.h>

#include <algorithm>

#include "common/base/error.h"
#include "zsend/entry_sender.h"

namespace zx {

// Of all descriptors that this process may have a quarter.
size_t EntrySender::most_ask_directories() {
  constexpr size_t kFew = 8;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kFew;
  return std::clamp<size_t>(limit.rlim_cur / 4, kFew, kMaxAskedDirectories);
}

// With -a a file of several names is not held back: its other names would wait for the answer.
HoldBack EntrySender::hold_back() const {
  if (agreed_.dry_run) return HoldBack::Readable;
  const bool fresh = !open_directories_.empty() && open_directories_.back().fresh;
  if (!agreed_.asks_ahead() || fresh) return HoldBack::None;
  return agreed_.archive ? HoldBack::OneName : HoldBack::All;
}

void EntrySender::ask(OutgoingEntry& entry, const SourceEntry& source) {
  EntryInfo info;
  info.name = {source.name};
  info.size = entry.bytes = static_cast<uint64_t>(source.st.st_size);
  set_metadata(info, source.st);
  info.asks = true;
  if (agreed_.dry_run) {  // the answer is its result
    if (agreed_.archive && source.st.st_nlink > 1)
      info.more_links = hard_links_.add_first(source.st, entry.id);
    entry.end_sent = true;
    link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
    return;
  }
  if (agreed_.archive && source.in)
    info.attributes = read_attributes(dirfd(source.in.get()), source.name, source.st, principals_);
  const uint64_t directory = open_directories_.empty() ? 0 : open_directories_.back().id;
  entry.held = std::make_unique<HeldBack>(HeldBack{source.in, source.name, directory});
  ++asking_;
  ask_directories_.add(directory, open_directories_.size());
  link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
}

// It was opened, or has its result.
void EntrySender::no_longer_asks(OutgoingEntry& entry) {
  if (!entry.held) return;
  --asking_;
  ask_directories_.remove(entry.held->directory);
  entry.held.reset();
}

void EntrySender::take_wanted(const Wanted& wanted) {
  for (const WantedRun& run : wanted.runs) {
    const uint64_t end = run.first + run.count;
    if (run.fresh) {  // of those that are open still, and all below
      bool fresh = false;
      for (OpenDirectory& directory : open_directories_) {
        fresh = fresh || directory.fresh || (run.first <= directory.id && directory.id < end);
        directory.fresh = fresh;
      }
      continue;
    }
    for (uint64_t id = run.first; id < end; ++id) {
      const auto found = entries_.find(id);
      if (found == entries_.end() || !found->second.held ||
          std::exchange(found->second.wanted, true))
        throw Error(ExitStatus::Protocol, "peer sent WANTED for an entry that does not ask");
      wanted_.push_back(id);
    }
  }
}

// The first of them that are wanted, opened now, and announced as any other.
bool EntrySender::send_wanted() {
  const auto found = entries_.find(wanted_.front());
  if (found == entries_.end()) {  // it has its result all the same
    wanted_.pop_front();
    return true;
  }
  OutgoingEntry& entry = found->second;
  SourceEntry source = cursor_.open(*entry.held, entry.name);
  if (source.leased) {
    pause_for_lease();
    return true;
  }
  wanted_.pop_front();
  no_longer_asks(entry);
  entry.bytes = 0;
  console_.begin_file(entry.name);
  if (source.kind == WalkStep::Failed)
    send_failed(entry, source);
  else
    begin_file(entry, source.name, std::move(*source.file));
  flush_when_gathered();
  return true;
}

}  // namespace zx
