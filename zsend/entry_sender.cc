// SPDX-License-Identifier: MIT
// The steps of a session that sends, and what the receiver says meanwhile. How entries begin
// is in send_entry.cc and ask.cc, how files are read in send_file.cc, how pipes are in
// send_pipe.cc.
#include "zsend/entry_sender.h"

#include "common/base/error.h"
#include "common/base/quote.h"

namespace zx {
namespace {

// So much of messages and small files is put together between two looks at what the receiver says.
constexpr size_t kLookBytes = 32 << 10;
// Entries that hold a descriptor here, and at the receiver.
constexpr size_t kMostReading = kMaxOpenFiles / 2;
// The names of what has no result yet, all together: deep in a tree each may be long.
constexpr size_t kMaxUnsettledNameBytes = 16 << 20;
// After BYE: how long a connection that was reset is made again, so that the receiver hears it.
constexpr std::chrono::seconds kByeLimit{5};

}  // namespace

EntrySender::EntrySender(Session& session, SourceCursor& cursor, const EngineOptions& engines,
                         uint16_t streams, Console& console, Ledger& ledger)
    : session_(session),
      link_(session.link()),
      agreed_(session.agreed()),
      cursor_(cursor),
      engines_(link_.channel(), engines),
      console_(console),
      ledger_(ledger),
      lane_(link_, engines_, console),
      queue_(streams - 1U),
      ask_directories_(most_ask_directories()) {
  if (streams == 1) return;
  further_ = std::make_unique<FurtherConnections>(session, streams - 1U, console);
  link_.queue(FrameType::Streams, 0, 0, encode(Streams{streams}));
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
  RunReport report{Role::Sender,     path_, verdict_->path, figures_, verdict_->figures,
                   verdict_->durable};
  report.count(link_, further_.get());
  return report;
}

// Blocks that were on their way go over any other connection, at once where there is one.
void EntrySender::recover(const Error& lost) {
  session_.hear_the_rest(lost, [this](const Frame& ack) { handle(ack); });
  queue_.give_back(lane_.give_back());
  session_.recover(lost);
  engines_.use(link_.channel());
}

// One thing at a time, the most urgent first.
void EntrySender::step() {
  if (serve()) return;
  end_complete();
  if (session_.key_is_worn(link_)) {
    if (!lane_.empty()) return wait();
    link_.flush();
    session_.renew();
    return engines_.use(link_.channel());
  }
  if (!link_.awaits_retold_acks() && lane_.has_room() && send_something()) {
    // What comes after the last of it is waiting, for blocks that are with the receiver.
    figures_.moving_us = watch_.wall_us();
    return;
  }
  if (all_begun_ && asking_ == 0 && reading_.empty() && lane_.empty() && queue_.empty() &&
      !fin_sent_)
    return send_fin();
  wait();
}

bool EntrySender::send_something() {
  if (send_returned()) return true;
  if (current_ == nullptr) {
    if (reading_.size() >= kMostReading) return false;
    if (!wanted_.empty()) return send_wanted();
    if (all_begun_ || entries_.size() >= kMaxUncommitted || name_bytes_ >= kMaxUnsettledNameBytes)
      return false;
    return begin_next();
  }
  return current_->reading->pipe != nullptr ? send_more_of_pipe(*current_)
                                            : send_more_of_file(*current_);
}

// True when something has come.
bool EntrySender::serve() {
  if (further_) further_->check();
  std::vector<Delivered> elsewhere;
  {
    const std::lock_guard lock(mutex_);
    elsewhere.swap(delivered_);
  }
  for (const Delivered& delivered : elsewhere) take_delivered(delivered);
  bool any = !elsewhere.empty();
  // Not for each of many small files, which are gathered.
  const size_t gathered = link_.queued_bytes();
  if (current_ == nullptr && gathered > looked_at_ && gathered - looked_at_ < kLookBytes) {
    link_.heartbeat_if_due();  // they may be read slowly
    return any;
  }
  looked_at_ = gathered;
  while (const auto frame = link_.read_if_any()) {
    handle(*frame);
    any = true;
  }
  return any;
}

void EntrySender::wait() {
  link_.flush();
  int other = -1;
  auto limit = session_.heartbeat();
  if (!link_.awaits_retold_acks() && current_ != nullptr && current_->reading->pipe != nullptr)
    other = pipe_event(*current_, &limit);
  link_.wait(limit, further_ ? further_->event_fd() : -1, other);
}

// --- what the receiver says

void EntrySender::handle(const Frame& frame) {
  switch (frame.header.type) {
    case FrameType::Streams:
      if (!further_ || further_->started()) unexpected_frame(frame.header, "without being asked");
      return further_->start([this](uint16_t, Link& link) {
        return serve_lane(link, session_, engines_.options(), console_, queue_,
                          [this](Delivered d) {
                            const std::lock_guard lock(mutex_);
                            delivered_.push_back(std::move(d));
                            further_->wake();
                          });
      });
    case FrameType::Ack:
      if (link_.was_retold()) return take_retold(frame);
      [[fallthrough]];
    case FrameType::Retry:
      if (auto delivered = lane_.take_answer(frame)) take_delivered(*delivered);
      return;
    case FrameType::Results:
      take_results(decode<Results>(frame.body));
      return;
    case FrameType::Deleted:
      if (!agreed_.deletes || !fin_sent_ || !entries_.empty())
        unexpected_frame(frame.header, "before every entry had its result, or without --delete");
      for (const Deleted::Path& one : decode<Deleted>(frame.body).paths) console_.deleted(one.path);
      return;
    case FrameType::Wanted:
      return take_wanted(decode<Wanted>(frame.body));
    case FrameType::Verdict:
      if (!fin_sent_ || !entries_.empty())
        unexpected_frame(frame.header, "before every entry had its result");
      verdict_ = decode<Verdict>(frame.body);
      if (!agreed_.deletes && (verdict_->deletion.deleted > 0 || verdict_->deletion.failed))
        throw Error(ExitStatus::Protocol, "peer has deleted what nobody has asked it to");
      return;
    default:
      unexpected_frame(frame.header, "while entries are sent");
  }
}

// Of a block that went over a connection before: it waits to be sent again, if no other connection
// has taken it since.
void EntrySender::take_retold(const Frame& ack) {
  if (auto block = queue_.take_returned(ack.header.entry, ack.header.offset))
    take_delivered(acknowledged(std::move(*block), ack));
}

void EntrySender::take_delivered(const Delivered& delivered) {
  const auto found = entries_.find(delivered.block.entry);
  if (found != entries_.end()) found->second.take(delivered);  // else it has its result already
}

void EntrySender::take_results(const Results& results) {
  const size_t asking = asking_;
  for (const Result& result : results.runs)
    for (uint64_t id = result.first; id < result.first + result.count; ++id) settle(id, result);
  if (all_begun_ && asking_ < asking) tell_total();  // some are not wanted
}

void EntrySender::settle(uint64_t id, const Result& result) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    throw Error(ExitStatus::Protocol, "peer sent RESULTS for an entry that has none to come");
  OutgoingEntry& entry = found->second;
  entry.conclude(result);
  ledger_.add(entry);
  console_.entry(entry);
  if (entry.failed()) hard_links_.forget(id);
  no_longer_asks(entry);
  if (current_ == &entry) current_ = nullptr;
  name_bytes_ -= entry.name.size();
  if (reading_.erase(id) > 0) ended_bytes_ += entry.bytes;
  entries_.erase(found);
  queue_.drop(id);
}

// --- what is sent

bool EntrySender::others_alive() const {
  return further_ && further_->alive() > 0;
}

// Blocks that no other connection takes. True when there was one.
bool EntrySender::send_returned() {
  auto block = queue_.take_for_first(current_ == nullptr || !others_alive());
  if (!block) return false;
  if (entries_.contains(block->entry)) send_on_first(std::move(*block));
  return true;
}

// Of a file with several names the entry that it has been sent as; 0 when it has not.
uint64_t EntrySender::first_name_of(const SourceEntry& source) const {
  if (!agreed_.archive || source.kind != WalkStep::File || source.pipe != nullptr) return 0;
  const uint64_t first = hard_links_.first_of(source.stat_of_file());
  const auto found = entries_.find(first);
  return found != entries_.end() && found->second.failed() ? 0 : first;
}

void EntrySender::start_reading(OutgoingEntry& entry, std::unique_ptr<Reading> reading) {
  if (agreed_.file_digest && !reading->parallel) reading->flat.emplace();
  entry.reading = std::move(reading);
  reading_.insert(entry.id);
  current_ = &entry;
}

// END for those that are read, and whose blocks are all acknowledged.
void EntrySender::end_complete() {
  for (auto id = reading_.begin(); id != reading_.end();) {
    OutgoingEntry& entry = entries_.at(*id);
    if (!entry.reading->read_to_end || !entry.reading->unacknowledged.empty()) {
      ++id;
      continue;
    }
    if (!entry.reading->cut_at) feed_hole(*entry.reading, entry.bytes);
    entry.finish_reading();
    if (agreed_.file_digest && entry.reading->parallel && !entry.reading->cut_at)
      digest_again(entry);
    entry.reading.reset();
    send_end(entry);
    id = reading_.erase(id);
  }
}

void EntrySender::send_end(OutgoingEntry& entry) {
  entry.end_sent = true;
  ended_bytes_ += entry.bytes;
  link_.queue(FrameType::End, entry.id, entry.bytes, encode(entry.end()));
}

// --- the end

void EntrySender::send_fin() {
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
  console_.finishing(agreed_.durability != Durability::None);
  link_.send(FrameType::Fin, 0, 0, encode(Fin{last_id_, path_, figures_}));
}

void EntrySender::conclude() {
  figures_.waiting_us = watch_.wall_us() - figures_.moving_us;
  Verdict& verdict = *verdict_;
  verdict.deletion.reason = quote_peer_text(verdict.deletion.reason, kMaxReasonBytes);
  ledger_.add(verdict.deletion);
  console_.deletion(verdict.deletion, "peer: ");
  const Totals totals = ledger_.totals();
  // A worse one than the entries explain is believed: the receiver knows what it has not done.
  if (verdict.status != ledger_.status() &&
      more_severe(verdict.status, ledger_.status()) == verdict.status)
    throw Error(verdict.status,
                "the receiver's verdict is '" + std::string(status_name(verdict.status)) + "'");
  if (verdict.status != ledger_.status() || verdict.entries != totals.entries ||
      verdict.bytes != totals.bytes || verdict.root != totals.root)
    throw Error(ExitStatus::Integrity, "the receiver committed something else than was sent");
  if (ledger_.could_sync() && !verdict.durable && agreed_.durability != Durability::None &&
      !agreed_.dry_run)
    throw Error(ExitStatus::Protocol, "the receiver has committed, but not durable as agreed");
  link_.queue(FrameType::Bye, 0, 0, encode(Bye{verdict.status}));
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
      told = link_.ended() || !is_lost_connection(error) || !session_.recover_quietly(give_up);
    }
  }
}

}  // namespace zx
