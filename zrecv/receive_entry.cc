// SPDX-License-Identifier: MIT
// How entries begin, and go to their commit: files, links, directories.
#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "zrecv/entry_receiver.h"

namespace zx {
namespace {

// Names that came before their files, in all: each holds its directory.
constexpr size_t kMaxWaitingLinks = 64;

}  // namespace

// --- entries

void EntryReceiver::on_entry(const Frame& frame) {
  const uint64_t id = frame.header.entry;
  const auto waiting = asked_.find(id);
  const bool again = waiting != asked_.end();
  if (!again && id != entries_.last_id() + 1) protocol("an ENTRY with an id out of order");
  if (entries_.size() >= kMaxOpenEntries) protocol("more entries than may be open");
  EntryInfo info = decode<EntryInfo>(frame.body);
  info.id = id;
  if (info.attributes && !agreed_.archive) protocol("attributes that nobody has asked for");
  if (info.more_links && !agreed_.archive) protocol("hard links that nobody has asked for");
  if (agreed_.dry_run && info.kind == EntryKind::File && !info.asks && !info.failed)
    protocol("a file that does not ask in a dry run");
  if (info.kind == EntryKind::HardLink) {
    const auto first = linked_.find(info.linked_to);
    if (first == linked_.end() || first->second.last)
      protocol("a hard link to an entry that has none");
  }
  if (info.kind == EntryKind::File && info.more_links) {
    if (linked_.size() >= kMaxLinkedFiles) protocol("more hard links than it may");
    linked_[id];
  }
  std::optional<Asked> asked;
  if (again) {
    asked = take_asked(waiting, info);
  } else {
    if (id > 1 && !agreed_.several) protocol("more entries than it announced");
    if (directories_.depth() == 0) {
      ++roots_;
      if (!info.failed) names_.check_requested(roots_, info);
    }
    directories_.begin(id);
  }
  const auto announce = [&](OpenEntries::Entry entry) {
    again ? entries_.arrive(id, std::move(entry)) : entries_.announce(std::move(entry));
  };
  EntryOutcome outcome;
  outcome.id = id;
  outcome.kind = info.kind;
  if (info.failed) {
    // Whatever has its name here is not looked at.
    if (unsent_.size() >= kMaxOpenEntries) protocol("more entries than may be open");
    if (info.name.size() > 1) protocol("a path where a name was expected");
    outcome.name = join_path(info.name);
    unsent_.emplace(id, std::move(outcome));
    return announce(nullptr);
  }
  if (info.asks) return judge(info, std::move(outcome));
  if (info.kind == EntryKind::Directory) return enter_directory(info, std::move(outcome));
  const auto entry = open_entry(info, asked ? &*asked : nullptr, &outcome);
  announce(entry);
  if (!entry) return;
  if (info.attributes && info.attributes->xattr_bytes() > 0) {
    open_xattr_bytes_ += open_xattrs_[id] = info.attributes->xattr_bytes();
    if (open_xattr_bytes_ > kMaxOpenXattrBytes)
      protocol("more extended attributes than may be open");
  }
  console_.begin_file(outcome.name);
  if (info.open_ended && info.size == 0)
    console_.no_total();
  else
    console_.add_total(info.size);
}

// Null when it has its outcome already: it fails or is skipped, or has no content to come.
OpenEntries::Entry EntryReceiver::open_entry(EntryInfo info, const Asked* asked,
                                             EntryOutcome* outcome) {
  auto sink = asked != nullptr ? asked->place(info) : destination_.sink_for(info, event_);
  outcome->name = sink->name();
  outcome->output_name = sink->output_name();
  try {
    look_at(*sink, info, /*again=*/asked != nullptr, outcome);
    if (outcome->skipped) {  // that is all
    } else if (info.kind == EntryKind::File) {
      info.attributes.reset();  // the sink has them
      const auto order = further_ && !info.open_ended ? BlockOrder::Any : BlockOrder::InTurn;
      return std::make_shared<IncomingEntry>(outcome->id, info, std::move(sink), agreed_, order);
    } else if (agreed_.dry_run) {
      sink->rehearse();
    } else {
      sink->open();
      sink->finish(0);
    }
  } catch (const Error& error) {
    // A fault of this file only: its outcome, not the end of the session (base/error.h).
    outcome->status = error.status();
    outcome->reason = error.what();
  }
  if (outcome->status != ExitStatus::Ok || outcome->skipped) sink.reset();
  if (info.kind == EntryKind::HardLink)
    finish_link(info.linked_to, !info.more_links, {*outcome, std::move(sink)});
  else
    finish({*outcome, std::move(sink)});
  return nullptr;
}

// What is there decides whether it comes; what is skipped has its outcome thereby. Throws Error for
// this entry. again: its name was taken when it asked.
void EntryReceiver::look_at(Sink& sink, const EntryInfo& info, bool again, EntryOutcome* outcome) {
  if (!names_.wants(info.kind))
    throw Error(ExitStatus::Refused, sink.describe() + ": a symbolic link (--no-links)");
  if (!again && !names_.take(sink.name()))
    throw Error(ExitStatus::Refused, sink.describe() + ": a second entry of this name");
  outcome->reason = sink.look(agreed_);
  outcome->skipped = !outcome->reason.empty();
  if (!outcome->skipped) return;
  if (!agreed_.dry_run) sink.refresh();
  outcome->caveats = std::move(sink.caveats);
  outcome->bytes = info.size;
}

// One that asks: its result, which is all in a dry run, or it is wanted, and its place waits for
// it.
void EntryReceiver::judge(const EntryInfo& info, EntryOutcome outcome) {
  if (!agreed_.asks_ahead()) protocol("a file that asks, and nobody wants that");
  if (info.more_links && !agreed_.dry_run) protocol("a file with more names that asks");
  Asked asked{destination_.place_for(info), info.name, directories_.innermost()};
  const auto sink = asked.place(info);
  outcome.name = sink->name();
  outcome.output_name = sink->output_name();
  try {
    look_at(*sink, info, /*again=*/false, &outcome);
    if (agreed_.dry_run && !outcome.skipped) sink->rehearse();
    outcome.bytes = info.size;
  } catch (const Error& error) {
    outcome.status = error.status();
    outcome.reason = error.what();
  }
  if (outcome.status != ExitStatus::Ok || outcome.skipped || agreed_.dry_run) {
    entries_.announce(nullptr);
    return finish({std::move(outcome), nullptr});
  }
  if (!asked_directories_.has_room(asked.directory, directories_.depth()) ||
      asked_.size() >= kMaxUncommitted)
    protocol("more files that ask than it may");
  asked_directories_.add(asked.directory, directories_.depth());
  asked_.emplace(outcome.id, std::move(asked));
  entries_.announce_later();
  want(outcome.id, /*fresh=*/false);
}

void EntryReceiver::want(uint64_t id, bool fresh) {
  if (!wanted_.empty() && wanted_.back().fresh == fresh &&
      wanted_.back().first + wanted_.back().count == id)
    ++wanted_.back().count;
  else
    wanted_.push_back({id, 1, fresh});
}

// What was wanted comes: it must be the same file, whatever its size and time are by now.
EntryReceiver::Asked EntryReceiver::take_asked(std::map<uint64_t, Asked>::iterator found,
                                               const EntryInfo& info) {
  if (info.asks || info.kind != EntryKind::File || info.name != found->second.name)
    protocol("another ENTRY than the one that has asked");
  Asked asked = std::move(found->second);
  asked_.erase(found);
  asked_directories_.remove(asked.directory);
  return asked;
}

// A name of a file that is here, or of one that is still to come. After that it is as any entry.
void EntryReceiver::finish_link(uint64_t first, bool last, Verified link) {
  const auto found = linked_.find(first);
  Linked& linked = found->second;
  EntryOutcome& outcome = link.outcome;
  linked.last = last;
  const auto fail = [&](ExitStatus status, const char* why) {
    if (!link.sink) return;  // it has its outcome
    outcome.status = status;
    outcome.reason = link.sink->describe() + why;
    link.sink.reset();
  };
  if (linked.failure != ExitStatus::Ok)
    fail(linked.failure, ": a hard link to a file that has failed");
  else if (!linked.here && waiting_links_ >= kMaxWaitingLinks)
    fail(ExitStatus::FileIo, ": too many hard links wait for their files");
  else if (!linked.here && link.sink) {
    ++waiting_links_;
    return linked.waiting.push_back(std::move(link));
  }
  if (last && (linked.here || linked.failure != ExitStatus::Ok)) linked_.erase(found);
  finish(std::move(link));
}

// The file has its outcome, or is with the commit, which makes its names in their order.
void EntryReceiver::release_links(uint64_t id, ExitStatus failure) {
  const auto found = linked_.find(id);
  if (found == linked_.end()) return;
  Linked& linked = found->second;
  linked.here = failure == ExitStatus::Ok;
  linked.failure = failure;
  std::vector<Verified> waiting = std::move(linked.waiting);
  waiting_links_ -= waiting.size();
  const bool last = linked.last;
  for (Verified& link : waiting) finish_link(id, /*last=*/false, std::move(link));
  if (last) linked_.erase(id);
}

// --- directories

// What cannot be made has its outcome at once, and so has everything that comes into it.
void EntryReceiver::enter_directory(const EntryInfo& info, EntryOutcome outcome) {
  if (directories_.depth() >= OpenDirectories::kMost) protocol("more directories than may be open");
  auto sink = destination_.enter(info);
  outcome.name = sink->name();
  outcome.output_name = sink->output_name();
  const uint64_t id = outcome.id;
  entries_.announce(nullptr);
  try {
    if (!info.name.empty() && !names_.take(sink->name()))
      throw Error(ExitStatus::Refused, sink->describe() + ": a second entry of this name");
    sink->look(agreed_);
    agreed_.dry_run ? sink->rehearse() : sink->open();
    if (sink->is_new() && agreed_.asks_ahead()) want(id, /*fresh=*/true);
  } catch (const Error& error) {
    outcome.status = error.status();
    outcome.reason = error.what();
    settle({outcome});
    sink.reset();
  }
  names_.enter(/*same=*/info.name.empty());
  directories_.enter(id, {std::move(outcome), std::move(sink)});
}

void EntryReceiver::leave_directory(uint64_t id, const EntryEnd& end) {
  Verified& directory = directories_.end(id);
  note_whole(directory, end.whole && end.failure == ExitStatus::Ok);
  destination_.leave();
  names_.leave();
  if (end.failure != ExitStatus::Ok)
    directory.failure = Error(end.failure, "peer: " + quote_peer_text(end.reason, kMaxReasonBytes));
  done(id);
}

// The entry is with the commit, or has its outcome: the directories that are complete thereby.
void EntryReceiver::done(uint64_t id) {
  for (Verified& directory : directories_.done(id)) {
    if (!agreed_.dry_run) {
      committer_.add(std::move(directory));
      continue;
    }
    if (directory.failure) {
      directory.outcome.status = directory.failure->status();
      directory.outcome.reason = directory.failure->what();
    }
    settle({std::move(directory.outcome)});
  }
}

// To its commit; without a sink it has its outcome already.
void EntryReceiver::finish(Verified entry) {
  const uint64_t id = entry.outcome.id;
  const ExitStatus failure = entry.outcome.status;
  if (entry.sink && !agreed_.dry_run)
    committer_.add(std::move(entry));
  else
    settle({std::move(entry.outcome)});
  release_links(id, failure);
  done(id);
}

}  // namespace zx
