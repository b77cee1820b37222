// SPDX-License-Identifier: MIT
// The steps of a session that sends, and what the receiver says meanwhile. How files are read is in
// send_file.cc, how pipes are in send_pipe.cc.
#include "zsend/entry_sender.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// Messages and small files gather to pieces of this size, as long as there is more to send.
constexpr size_t kGatherBytes = 256 << 10;
// Entries that hold a descriptor here, and at the receiver.
constexpr size_t kMostReading = kMaxOpenFiles / 2;
// After BYE: how long a connection that was reset is made again, so that the receiver hears it.
constexpr std::chrono::seconds kByeLimit{5};

}  // namespace

EntrySender::EntrySender(Session& session, SourceCursor& cursor, const EngineOptions& engines,
                         uint16_t streams, Console& console, Ledger& ledger)
    : session_(session),
      link_(session.link()),
      agreed_(session.agreed()),
      cursor_(cursor),
      engine_options_(engines),
      engines_(link_.channel(), engines),
      console_(console),
      ledger_(ledger),
      lane_(link_, engines_, console),
      queue_(streams - 1U) {
  if (streams == 1) return;
  further_ = std::make_unique<FurtherConnections>(session, streams - 1U, console);
  link_.queue(FrameType::Streams, 0, 0, encode_streams(streams));
}

void EntrySender::Entry::fail(ExitStatus status, const std::string& text) {
  if (failed()) return;  // the first cause counts
  outcome.status = status;
  outcome.reason = text;
}

RunReport EntrySender::run() {
  while (!verdict_) {
    try {
      step();
    } catch (const Error& error) {
      if (!is_lost_connection(error)) throw;
      recover(error);
    }
  }
  conclude();
  return report();
}

// Blocks that were on their way go over any other connection, at once where there is one.
void EntrySender::recover(const Error& lost) {
  queue_.give_back(lane_.give_back());
  session_.recover(lost);
  engines_.use(link_.channel());
}

// One thing at a time, the most urgent first.
void EntrySender::step() {
  if (serve()) return;
  end_complete();
  if (session_.key_is_worn()) {
    if (!lane_.empty()) return wait();
    link_.flush();
    session_.renew();
    return engines_.use(link_.channel());
  }
  if (lane_.has_room()) {
    if (send_returned()) return;
    if (current_ == 0 && may_begin()) return begin_next();
    if (current_ != 0 && send_more()) return;
  }
  if (all_begun_ && reading_.empty() && lane_.empty() && queue_.empty() && !fin_sent_)
    return send_fin();
  wait();
}

// True when something has come.
bool EntrySender::serve() {
  bool any = false;
  for (Delivered& delivered : delivered_elsewhere()) {
    take_delivered(std::move(delivered));
    any = true;
  }
  while (const auto frame = link_.read_if_any()) {
    handle(*frame);
    any = true;
  }
  return any;
}

// Throws the first failure of a further connection.
std::vector<Delivered> EntrySender::delivered_elsewhere() {
  if (further_) further_->check();
  const std::lock_guard lock(mutex_);
  return std::exchange(delivered_, {});
}

void EntrySender::wait() {
  link_.flush();
  const int lanes = further_ ? further_->event_fd() : -1;
  int other = -1;
  auto limit = session_.heartbeat();
  if (current_ != 0) {
    const Entry& entry = entries_.at(current_);
    if (entry.reading->pipe != nullptr) other = pipe_event(entry, &limit);
  }
  link_.wait(limit, lanes, other);
}

// --- what the receiver says

void EntrySender::handle(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::Streams:
      if (!further_ || further_->started()) unexpected_frame(frame.header, "without being asked");
      return further_->start([this](uint16_t, Link& link) {
        return serve_lane(link, session_, engine_options_, console_, queue_, [this](Delivered d) {
          const std::lock_guard lock(mutex_);
          delivered_.push_back(std::move(d));
          further_->wake();
        });
      });
    case FrameType::Ack:
    case FrameType::Retry:
      if (auto delivered = lane_.take_answer(frame)) take_delivered(std::move(*delivered));
      return;
    case FrameType::Results:
      return take_results(decode_results(frame.body));
    case FrameType::Verdict:
      if (!fin_sent_ || !entries_.empty())
        unexpected_frame(frame.header, "before every entry had its result");
      verdict_ = decode_verdict(frame.body);
      return;
    default:
      unexpected_frame(frame.header, "while entries are sent");
  }
}

void EntrySender::take_delivered(Delivered d) {
  const auto found = entries_.find(d.block.entry);
  if (found == entries_.end()) return;  // it has its result already
  Entry& entry = found->second;
  entry.outcome.retransmitted_blocks += d.resent;
  if (!entry.reading) return;  // a small one, whose content cannot have changed
  Reading& reading = *entry.reading;
  const uint64_t offset = d.block.offset;
  reading.unacknowledged.erase(offset);
  if (d.kept.length > 0) {
    entry.sum.add(block_part(offset, d.kept.length, d.kept.digest));
    reading.content_end = std::max(reading.content_end, offset + d.kept.length);
  }
  // The flat digest was of other bytes; it cannot be mended without reading all of them again.
  if (d.changed) reading.flat.reset();
  if (d.read_error != 0)
    entry.fail(ExitStatus::FileIo,
               quote(entry.outcome.name) + ": read: " + errno_text(d.read_error));
  if (d.kept.length < d.block.length) reading.note_cut(offset + d.kept.length);
  if (reading.pipe != nullptr)
    reading.pipe->release_to(reading.unacknowledged.empty() ? entry.size
                                                            : *reading.unacknowledged.begin());
}

void EntrySender::take_results(const std::vector<Result>& results) {
  for (const Result& result : results) {
    for (uint64_t id = result.first; id < result.first + result.count; ++id) settle(id, result);
  }
}

void EntrySender::settle(uint64_t id, const Result& result) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    throw Error(ExitStatus::Protocol, "peer sent RESULTS for an entry that has none to come");
  Entry& entry = found->second;
  const bool good = result.status == ExitStatus::Ok;
  if (good && !result.skipped && (!entry.end_sent || entry.failed()))
    throw Error(ExitStatus::Protocol, "peer calls an entry committed that was not sent whole");
  EntryOutcome& outcome = entry.outcome;
  if (!entry.failed()) {  // our own failure comes back as the receiver's: our words for it stay
    outcome.status = result.status;
    if (!result.reason.empty()) outcome.reason = (result.skipped ? "" : "peer: ") + quote_peer_text(result.reason);
  }
  outcome.bytes = entry.size;
  outcome.skipped = result.skipped;
  outcome.changed = outcome.changed && !result.skipped;
  outcome.block_sum = entry.sum.value();
  ledger_.add(outcome);
  console_.entry(outcome);

  if (entry.reading && entry.reading->pipe != nullptr) {
    entry.reading->pipe->stop();
    entry.reading->pipe->forget();
  }
  entries_.erase(found);
  reading_.erase(id);
  if (current_ == id) current_ = 0;
  queue_.drop(id);
}

// --- what is sent

bool EntrySender::others_alive() const {
  return further_ && further_->alive() > 0;
}

// Blocks that no other connection takes. True when there was one.
bool EntrySender::send_returned() {
  auto block = queue_.take_for_first(current_ == 0 || !others_alive());
  if (!block) return false;
  if (entries_.contains(block->entry)) send_on_first(std::move(*block));
  return true;
}

// When the connection is lost on the way nothing of it has counted, and the block comes again.
void EntrySender::send_on_first(Block block) {
  const uint64_t offset = block.offset;
  const uint32_t length = block.length;
  Entry& entry = entries_.at(block.entry);
  Reading* const reading = entry.reading.get();
  if (reading == nullptr) return void(lane_.send(std::move(block), nullptr));
  std::optional<Hasher> flat;
  if (reading->flat && offset >= reading->flat_end) {
    feed_hole(*reading, offset);
    flat = reading->flat;
  }
  const SentBlock sent = lane_.send(std::move(block), flat ? &*flat : nullptr);
  if (flat) {
    reading->flat = flat;
    reading->flat_end = offset + sent.length;
  }
  if (sent.read_error != 0)
    entry.fail(ExitStatus::FileIo,
               quote(entry.outcome.name) + ": read: " + errno_text(sent.read_error));
  if (sent.length < length) reading->note_cut(offset + sent.length);
}

// Up to `end` the flat digest sees zeros.
void EntrySender::feed_hole(Reading& reading, uint64_t end) {
  while (reading.flat && reading.flat_end < end) {
    const uint64_t piece = std::min(end - reading.flat_end, kLongHashBytes);
    reading.flat->update_zeros(piece);
    reading.flat_end += piece;
    check_stop();
    link_.heartbeat_if_due();
  }
}

bool EntrySender::may_begin() const {
  return !all_begun_ && reading_.size() < kMostReading && entries_.size() < kMaxUncommitted;
}

void EntrySender::begin_next() {
  auto source = cursor_.next();
  if (!source) {
    all_begun_ = true;
    return;
  }
  const uint64_t id = ++last_id_;
  Entry& entry = entries_[id];
  entry.outcome.id = id;
  entry.outcome.name = source->path.empty() ? source->name : source->path;
  if (source->pipe != nullptr) return begin_pipe(id, entry, *source->pipe);
  if (source->file) {
    begin_file(id, entry, source->name, std::move(*source->file));
  } else {
    // Every name has an outcome at both ends.
    EntryInfo info;
    info.name = {source->name};
    link_.queue(FrameType::Entry, id, 0, encode(info));
    entry.fail(source->failure->status(), source->failure->what());
    send_end(id, entry);
  }
  if (link_.queued_bytes() >= kGatherBytes) link_.flush();
}

// True when something was sent, or the state has changed.
bool EntrySender::send_more() {
  Entry& entry = entries_.at(current_);
  return entry.reading->pipe != nullptr ? send_more_of_pipe(current_, entry)
                                        : send_more_of_file(current_, entry);
}

// END for those that are read, and whose blocks are all acknowledged.
void EntrySender::end_complete() {
  for (auto id = reading_.begin(); id != reading_.end();) {
    Entry& entry = entries_.at(*id);
    if (!entry.reading->read_to_end || !entry.reading->unacknowledged.empty()) {
      ++id;
      continue;
    }
    finish_reading(entry);
    send_end(*id, entry);
    id = reading_.erase(id);
  }
}

void EntrySender::send_end(uint64_t id, Entry& entry) {
  const EntryOutcome& outcome = entry.outcome;
  EntryEnd end;
  end.changed = outcome.changed;
  end.failure = outcome.status;
  end.reason = outcome.reason;
  end.block_sum = entry.sum.value();
  end.has_file_digest = outcome.digest && !entry.failed();
  if (end.has_file_digest) end.file_digest = *outcome.digest;
  entry.end_sent = true;
  link_.queue(FrameType::End, id, entry.size, encode(end));
}

// --- the end

void EntrySender::send_fin() {
  figures_.moving_us = watch_.wall_us();
  figures_.cpu_us = watch_.cpu_us();
  figures_.busy_us = link_.tcp_figures().busy_us;
  figures_.looks = link_.queue_looks().looks;
  figures_.backlogs = link_.queue_looks().backlogs;
  if (further_) {
    queue_.close();
    link_.with_heartbeats([&] { further_->finish(); });
  }
  path_ = engines_.report();
  fin_sent_ = true;
  link_.send(FrameType::Fin, 0, 0, encode(Fin{last_id_, path_, figures_}));
}

void EntrySender::conclude() {
  figures_.waiting_us = watch_.wall_us() - figures_.moving_us;
  const Totals totals = ledger_.totals();
  const Verdict& verdict = *verdict_;
  // A worse one than the entries explain is believed: the receiver knows what it has not done.
  if (verdict.status != ledger_.status() &&
      more_severe(verdict.status, ledger_.status()) == verdict.status)
    throw Error(verdict.status,
                "the receiver's verdict is '" + std::string(status_name(verdict.status)) + "'");
  if (verdict.status != ledger_.status() || verdict.entries != totals.entries ||
      verdict.bytes != totals.bytes || verdict.root != totals.root)
    throw Error(ExitStatus::Integrity, "the receiver committed something else than was sent");
  if (totals.entries > 0 && !verdict.durable && agreed_.durability != Durability::None)
    throw Error(ExitStatus::Protocol, "the receiver has committed, but not durable as agreed");
  link_.queue(FrameType::Bye, 0, 0, encode_bye(verdict.status));
  // Until the receiver has closed its end: then it has heard. All is committed, whatever happens.
  const auto give_up = Clock::now() + kByeLimit;
  for (bool told = false; !told && Clock::now() < give_up;) {
    try {
      link_.flush();
      while (!link_.ended() && Clock::now() < give_up) {
        link_.wait(std::chrono::milliseconds(kByeLimit));
        (void)link_.read_if_any();
      }
    } catch (const Error& error) {
      told = link_.ended() || !is_lost_connection(error) || !session_.try_again(give_up);
    }
  }
}

RunReport EntrySender::report() const {
  RunReport out{.role = Role::Sender,
                .mine = path_,
                .peers = verdict_->path,
                .sender = figures_,
                .receiver = verdict_->figures,
                .tcp = link_.tcp_figures(),
                .frame_bytes = link_.sent_bytes(),
                .durable = verdict_->durable};
  if (further_) {
    out.further = further_->opened();
    out.lost = further_->lost();
    out.tcp.add(further_->tcp_figures());
  }
  return out;
}

}  // namespace zx
