// SPDX-License-Identifier: MIT
// How entries begin: files, links, directories, and what fails before it is sent.
#include "common/base/error.h"
#include "zsend/entry_sender.h"

namespace zx {
namespace {

// Messages and small files gather to pieces of this size, as long as there is more to send.
constexpr size_t kGatherBytes = 256 << 10, kGatherAskingBytes = 64 << 10;
// Before a file that another process has a lease on is tried again.
constexpr std::chrono::milliseconds kLeasePause{50};

}  // namespace

// Else a link to it would have to wait at the receiver.
bool EntrySender::first_is_read(uint64_t first) const {
  const auto found = entries_.find(first);
  return found == entries_.end() || found->second.end_sent;
}

// False when there is nothing to be done before something comes.
bool EntrySender::begin_next() {
  if (held_ && !first_is_read(first_name_of(*held_))) return false;
  // Until some of them have their answer: directories that are asked about are held open.
  if (!open_directories_.empty() &&
      !ask_directories_.has_room(open_directories_.back().id, open_directories_.size()))
    return false;
  // One that has its result before its END could not be made: nothing can come into it.
  if (!open_directories_.empty() && !entries_.contains(open_directories_.back().id))
    cursor_.leave();
  auto source = held_ ? std::exchange(held_, std::nullopt) : cursor_.next(hold_back());
  if (!source) {
    all_begun_ = true;
    tell_total();
    return true;
  }
  if (source->kind == WalkStep::Up) {
    leave_directory(*source);
    return true;
  }
  if (source->kind == WalkStep::LeftOut) {
    console_.note(source->failure->what());
    return true;
  }
  if (source->kind == WalkStep::Nothing) {
    link_.heartbeat_if_due();
    return true;
  }
  if (source->leased) {
    pause_for_lease();
    return true;
  }
  const uint64_t first = first_name_of(*source);
  if (!first_is_read(first)) {
    held_ = std::move(source);
    return false;
  }
  OutgoingEntry& entry = entries_[++last_id_];
  entry.id = last_id_;
  entry.name = source->path.empty() ? source->name : source->path;
  name_bytes_ += entry.name.size();
  if (!source->held_back()) console_.begin_file(entry.name);
  EntryInfo info;
  info.name = {source->name};
  switch (source->kind) {
    case WalkStep::Directory:
      enter_directory(entry, *source);
      break;
    case WalkStep::Symlink:
      info.kind = entry.kind = EntryKind::Symlink;
      set_metadata(info, source->st);
      info.target = source->target;
      if (agreed_.archive) info.attributes = read_owner(source->st, principals_);
      link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
      entry.end_sent = true;
      break;
    case WalkStep::Failed:
      send_failed(entry, *source);
      break;
    default:
      if (source->pipe != nullptr)
        begin_pipe(entry, *source->pipe);
      else if (first != 0)
        send_hard_link(entry, *source, first);
      else if (source->held_back())
        ask(entry, *source);
      else
        begin_file(entry, source->name, std::move(*source->file));
  }
  flush_when_gathered();
  return true;
}

// Questions leave sooner: their answers are long, and nobody shall have to wait until they are
// read.
void EntrySender::flush_when_gathered() {
  if (link_.queued_bytes() >= (asking_ > 0 ? kGatherAskingBytes : kGatherBytes)) link_.flush();
}

void EntrySender::pause_for_lease() {
  link_.flush();
  link_.heartbeat_if_due();
  link_.wait(kLeasePause);
}

// Every name has an outcome at both ends.
void EntrySender::send_failed(OutgoingEntry& entry, const SourceEntry& source) {
  EntryInfo info;
  info.name = {source.name};
  info.failed = true;
  if (S_ISDIR(source.st.st_mode)) info.kind = entry.kind = EntryKind::Directory;
  link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
  entry.fail(source.failure->status(), source.failure->what());
  send_end(entry);
}

// Nothing more comes. All is read by now, of the last ones too, but for what nobody may want.
void EntrySender::tell_total() {
  uint64_t bytes = ended_bytes_;
  for (const auto& [id, entry] : entries_)
    if (entry.held || entry.reading) bytes += entry.bytes;
  console_.all_begun(last_id_, bytes);
}

void EntrySender::send_hard_link(OutgoingEntry& entry, const SourceEntry& source, uint64_t first) {
  EntryInfo info;
  info.kind = entry.kind = EntryKind::HardLink;
  info.name = {source.name};
  set_metadata(info, source.stat_of_file());
  info.linked_to = first;
  info.more_links = hard_links_.add_name(source.stat_of_file());
  link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
  entry.end_sent = true;
}

// What comes until its END is in it.
void EntrySender::enter_directory(OutgoingEntry& entry, const WalkStep& step) {
  EntryInfo info;
  info.kind = entry.kind = EntryKind::Directory;
  if (!step.name.empty()) info.name = {step.name};
  set_metadata(info, step.st);
  if (agreed_.archive)
    info.attributes = read_attributes(step.directory, step.st, principals_, entry.caveats);
  link_.queue(FrameType::Entry, entry.id, 0, encode(std::move(info)));
  // Where nothing was, nothing is below.
  const bool fresh = !open_directories_.empty() && open_directories_.back().fresh;
  open_directories_.push_back({entry.id, fresh});
}

// It may have its result already: then nothing has come into it, and END only says so.
void EntrySender::leave_directory(const WalkStep& step) {
  const uint64_t id = open_directories_.back().id;
  open_directories_.pop_back();
  OutgoingEntry done;
  done.id = id;
  const auto found = entries_.find(id);
  OutgoingEntry& entry = found == entries_.end() ? done : found->second;
  if (step.failure) entry.fail(step.failure->status(), step.failure->what());
  entry.whole = step.whole;
  send_end(entry);
}

}  // namespace zx
