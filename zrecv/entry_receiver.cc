// SPDX-License-Identifier: MIT
// The steps of a session that receives, and its end. How entries begin, and go to their commit, is
// in receive_entry.cc.
#include "zrecv/entry_receiver.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {
namespace {

// Frames that are handled before the threads are looked at again.
constexpr int kFramesAtOnce = 32;
// After a block of this size they are looked at in any case: what is committed is told at once.
constexpr uint32_t kLongBlockBytes = 1 << 20;
// Answers that leave although more has come already: else the sender's questions could fill the one
// direction while nothing moves in the other.
constexpr size_t kToldBytes = 16 << 10;
// So much may come before the peer hears that it has: questions with many attributes are long.
constexpr uint64_t kUncountedBytes = 4 << 20;

// What the next entry of a run must have in common with it to be part of it.
bool continues(const Result& run, const EntryOutcome& next) {
  return run.first + run.count == next.id && run.status == next.status &&
         run.skipped == next.skipped && run.caveats == flags_of(next.caveats) &&
         run.reason == next.reason;
}

}  // namespace

EntryReceiver::EntryReceiver(Session& session, Destination& destination,
                             const EngineOptions& engines, RequestedNames requested,
                             Console& console, Ledger& ledger)
    : session_(session),
      link_(session.link()),
      agreed_(session.agreed()),
      destination_(destination),
      names_(std::move(requested)),
      console_(console),
      ledger_(ledger),
      engines_(link_.channel(), engines),
      entries_(event_),
      lane_(0, link_, engines_, entries_, session, console),
      committer_(agreed_.durability, event_, agreed_.verify_disk) {}

RunReport EntryReceiver::run() {
  try {
    while (!done_) {
      try {
        step();
      } catch (const Error& error) {
        if (!is_lost_connection(error)) throw;
        recover(error);
      }
    }
    RunReport report{Role::Receiver, path_, fin_->path, fin_->figures, figures_, durable()};
    report.count(link_, further_.get());
    return report;
  } catch (...) {
    // What has its name by now counts, and is told; nothing else will get one.
    committer_.stop();
    try {
      for (const EntryOutcome& outcome : committer_.take()) record(outcome);
    } catch (...) {  // why the run ends is known already
    }
    throw;
  }
}

void EntryReceiver::recover(const Error& lost) {
  entries_.release(0);
  try {  // what has come whole is committed meanwhile
    conclude_ready();
    if (fin_ && entries_.size() == 0) committer_.flush();
  } catch (const Error& error) {
    if (!is_lost_connection(error)) throw;
  }
  session_.hear_the_rest(lost);
  session_.recover(lost);
  engines_.use(link_.channel());
}

// What is to be done, and then what the peer says next. Whatever is thrown here has left the state
// so that another step goes on from it.
void EntryReceiver::step() {
  if (further_) further_->check();
  event_.clear();
  if (hole_) make_hole();
  conclude_ready();
  settle(committer_.take());
  tell();
  if (fin_) go_on_to_verdict();
  if (committer_.is_behind()) link_.with_heartbeats([&] { committer_.await_room(); });
  for (int i = 0; i < kFramesAtOnce && !done_ && !hole_; ++i) {
    link_.heartbeat_if_due();  // who is always ahead hears of this side, and of what is committed
    if (const auto frame = link_.read_if_any()) {
      const size_t depth = directories_.depth();
      handle(*frame);
      // A directory holds a descriptor: what is complete goes to the commit before the next one.
      if (directories_.depth() > depth || frame->header.length >= kLongBlockBytes) return;
      continue;
    }
    tell();
    link_.flush();
    if (i == 0) link_.wait(kNoLimit, event_.fd(), further_ ? further_->event_fd() : -1);
    return;
  }
}

void EntryReceiver::handle(const Frame& frame) {
  const FrameType type = frame.header.type;
  if (fin_ && type != FrameType::Data && type != FrameType::Bye)
    unexpected_frame(frame.header, "after FIN");
  switch (type) {
    case FrameType::Streams:
      return on_streams(frame);
    case FrameType::Entry:
      return on_entry(frame);
    case FrameType::Data:
      return lane_.take(frame.header);
    case FrameType::Hole:
      return on_hole(frame);
    case FrameType::End:
      return on_end(frame);
    case FrameType::Fin:
      return on_fin(frame);
    case FrameType::Bye:
      return on_bye(frame);
    case FrameType::DataDigest:
      protocol("a DIGEST without its DATA");
    default:
      unexpected_frame(frame.header, "while entries are received");
  }
}

// The sender wants further connections. From the answer on they can be made.
void EntryReceiver::on_streams(const Frame& frame) {
  if (entries_.last_id() > 0 || further_)
    unexpected_frame(frame.header, "after the first ENTRY or twice");
  const uint16_t count = decode<Streams>(frame.body).count;
  if (agreed_.streams > 0 && count > agreed_.streams)
    throw Error(ExitStatus::Protocol, "peer wants more streams than were agreed");
  further_ = std::make_unique<FurtherConnections>(session_, count - 1U, console_);
  further_->start([this](uint16_t number, Link& link) {
    serve_lane(number, link, engines_.options(), entries_, session_, console_);
    return true;
  });
  link_.queue(FrameType::Streams, 0, 0, encode(Streams{count}));
}

// --- content

void EntryReceiver::on_hole(const Frame& frame) {
  const auto entry = entries_.find(frame.header);
  const uint64_t length = decode<zx::Hole>(frame.body).length;
  if (!entry) return;
  entry->hole(frame.header.offset, length);
  hole_ = Hole{entry, frame.header.offset, length};
}

// Zeros have to be written, or hashed: when the connection is lost meanwhile it begins anew.
void EntryReceiver::make_hole() {
  link_.with_heartbeats_if(hole_->length > kLongHashBytes,
                           [&] { hole_->entry->zero(hole_->offset, hole_->length); });
  (void)entries_.settled(hole_->entry, /*damaged=*/false);
  hole_.reset();
}

void EntryReceiver::on_end(const Frame& frame) {
  const auto entry = entries_.find(frame.header);
  const EntryEnd end = decode<EntryEnd>(frame.body);
  if (directories_.is_open(frame.header.entry)) return leave_directory(frame.header.entry, end);
  if (const auto unsent = unsent_.find(frame.header.entry); unsent != unsent_.end()) {
    if (end.failure == ExitStatus::Ok) protocol("END without the reason why an entry failed");
    EntryOutcome outcome = std::move(unsent->second);
    unsent_.erase(unsent);
    outcome.status = end.failure;
    outcome.reason = "peer: " + quote_peer_text(end.reason, kMaxReasonBytes);
    return finish({std::move(outcome), nullptr});
  }
  if (!entry) return;
  entry->end(frame.header.offset, end);
  (void)entries_.settled(entry, /*damaged=*/false);
}

// An entry stays until it is concluded: a lost connection may interrupt that.
void EntryReceiver::conclude_ready() {
  while (!committer_.is_behind()) {
    auto entry = entries_.next_ready();
    if (!entry) return;
    // The digest of the whole may have to be made again, or to wait for who reads it.
    const bool is_long =
        agreed_.file_digest && (entry->is_pipe() || entry->info().size > kLongHashBytes);
    link_.with_heartbeats_if(is_long, [&] { entry->conclude(lane_.buffer()); });
    // Every connection makes the same choice for an entry: that of the first one is in the report.
    if (const auto facts = entry->facts(); facts && further_) (void)engines_.pick(*facts);
    Verified verified = entry->take();
    entries_.remove(entry);
    if (const auto xattrs = open_xattrs_.find(entry->id()); xattrs != open_xattrs_.end()) {
      open_xattr_bytes_ -= xattrs->second;
      open_xattrs_.erase(xattrs);
    }
    entry.reset();  // the temporary file of one that failed goes before its directory is done
    finish(std::move(verified));
  }
  event_.set();  // there may be more
}

// --- outcomes

// It is final: into the ledger, and to the operator.
void EntryReceiver::record(const EntryOutcome& outcome) {
  ledger_.add(outcome);
  console_.entry(outcome);
}

// They are final: also for the sender, whom tell() tells.
void EntryReceiver::settle(std::vector<EntryOutcome> outcomes) {
  for (const EntryOutcome& outcome : outcomes) {
    record(outcome);
    if (!results_.empty() && continues(results_.back(), outcome)) {
      ++results_.back().count;
      continue;
    }
    results_.push_back({outcome.id, 1, outcome.status, outcome.skipped, outcome.reason,
                        flags_of(outcome.caveats)});
  }
}

// What was queued is not lost with a connection, so nothing is told twice.
void EntryReceiver::tell() {
  const auto queue_parts = [&](FrameType type, const auto& all, size_t most, const auto& message) {
    for (size_t i = 0; i < all.size(); i += most) {
      const auto part = std::span(all).subspan(i, std::min(most, all.size() - i));
      link_.queue(type, 0, 0, message({part.begin(), part.end()}));
    }
  };
  queue_parts(FrameType::Results, std::exchange(results_, {}), kMaxResults,
              [](std::vector<Result> runs) { return encode(Results{std::move(runs)}); });
  queue_parts(FrameType::Wanted, std::exchange(wanted_, {}), kMaxWantedRuns,
              [](std::vector<WantedRun> runs) { return encode(Wanted{std::move(runs)}); });
  if (link_.queued_bytes() < kToldBytes && link_.received_bytes() - told_at_ < kUncountedBytes)
    return;
  told_at_ = link_.received_bytes();
  link_.flush();
}

// --- the end

void EntryReceiver::on_fin(const Frame& frame) {
  Fin fin = decode<Fin>(frame.body);
  const uint64_t count = entries_.last_id();
  if (fin.entries != count)
    protocol("FIN for " + std::to_string(fin.entries) + " entries after " + std::to_string(count));
  names_.check_all_came(roots_);
  if (!entries_.all_have_end() || !unsent_.empty() || directories_.depth() > 0 || !asked_.empty())
    unexpected_frame(frame.header, "before the END of every entry");
  figures_.moving_us = watch_.wall_us();
  figures_.cpu_us = watch_.cpu_us();
  figures_.looks = link_.queue_looks().looks;
  figures_.backlogs = link_.queue_looks().backlogs;
  fin_ = std::move(fin);
  console_.all_begun(count);
  console_.finishing(agreed_.durability != Durability::None);
}

// As far as it goes; what is still missing sets the event when it has come.
void EntryReceiver::go_on_to_verdict() {
  if (verdict_sent_ || entries_.size() > 0) return;
  if (!std::exchange(flushed_, true)) {
    committer_.flush();
    if (further_) link_.with_heartbeats([&] { further_->finish(); });
  }
  if (!committer_.is_idle() || !delete_others()) return;
  figures_.syncing_us = watch_.wall_us() - figures_.moving_us;
  path_ = engines_.report();
  const Totals totals = ledger_.totals();
  verdict_sent_ = true;
  link_.queue(FrameType::Verdict, 0, 0,
              encode(Verdict{ledger_.status(), durable(), totals.entries, totals.bytes, totals.root,
                             totals.retransmitted_blocks, path_, figures_,
                             deletion_.value_or(Deletion{})}));
}

void EntryReceiver::on_bye(const Frame& frame) {
  if (!verdict_sent_) unexpected_frame(frame.header, "instead of more entries");
  if (decode<Bye>(frame.body).status != ledger_.status())
    throw Error(ExitStatus::Protocol, "the sender ends with another status than this side");
  done_ = true;
}

}  // namespace zx
