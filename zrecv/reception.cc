// SPDX-License-Identifier: MIT
#include "zrecv/reception.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {
namespace {

// An ACK every so many blocks: the sender of a long file hears that this side is alive and how far.
constexpr uint64_t kBlocksPerAck = 4;

EntryOutcome failed_outcome(uint64_t id, const std::string& name, const Error& error) {
  EntryOutcome outcome;
  outcome.id = id;
  outcome.name = name;
  outcome.status = error.status();
  outcome.reason = error.what();
  return outcome;
}

}  // namespace

Reception::Reception(Session& session, Destination& destination, RecvEngines& engines,
                     RequestedNames requested, Console& console, Ledger& ledger)
    : session_(session),
      link_(session.link()),
      agreed_(session.agreed()),
      destination_(destination),
      engines_(engines),
      blocks_(0, link_, engines_, console),
      requested_(std::move(requested)),
      console_(console),
      ledger_(ledger) {}

Fin Reception::run() {
  for (;;) {
    const Frame frame = next_frame();
    switch (frame.header.type) {
      case FrameType::Entry:
        on_entry(frame);
        break;
      case FrameType::Data:
        on_data(frame.header);
        break;
      case FrameType::DataDigest:
        on_digest(frame);
        break;
      case FrameType::Hole:
        on_hole(frame);
        break;
      case FrameType::End:
        on_end(frame);
        break;
      case FrameType::Switch:
        on_switch(frame);
        break;
      case FrameType::Streams:
        on_streams(frame);
        break;
      case FrameType::Fin:
        return on_fin(frame);
      default:
        unexpected_frame(frame.header, "while entries are received");
    }
    check_stop();
  }
}

// With several streams, or a sink that can fail by itself, an event of theirs is dealt with as soon
// as a frame.
Frame Reception::next_frame() {
  WakeFd* const sinks = destination_.event();
  if (!streams_ && sinks == nullptr) return link_.read();
  const Socket& socket = link_.channel().socket();
  for (;;) {
    if (streams_) streams_->check();
    if (sinks != nullptr) sinks->clear();
    drop_failed();
    if (auto frame = link_.read_if_any()) return std::move(*frame);
    if (!link_.channel().wait_readable_or(streams_ ? streams_->event_fd() : -1,
                                          socket.idle_timeout(),
                                          sinks != nullptr ? sinks->fd() : -1))
      socket.fail("receive", EAGAIN);
  }
}

// The sender wants further connections. From the answer on they can be made.
void Reception::on_streams(const Frame& frame) {
  if (last_id_ > 0 || streams_) unexpected_frame(frame.header, "after the first ENTRY or twice");
  const uint16_t count = decode_streams(frame.body);
  if (agreed_.streams > 0 && count > agreed_.streams)
    throw Error(ExitStatus::Protocol, "peer wants more streams than were agreed");
  streams_ =
      std::make_unique<StreamReceivers>(session_, count, open_, engines_.options(), console_);
  link_.send(FrameType::Streams, 0, 0, encode_streams(count));
}

// The key of the connection has protected enough; what goes on is the same stream of frames.
void Reception::on_switch(const Frame& frame) {
  require_empty(frame);
  (void)session_.switch_connection(/*first=*/false);
  engines_.use(link_.channel());
  blocks_.use_new_channel();
  console_.detail("the connection was replaced: its key has protected enough");
}

Fin Reception::on_fin(const Frame& frame) {
  if (open_.size() > 0) unexpected_frame(frame.header, "before every entry had its result");
  const Fin fin = decode_fin(frame.body);
  // A pull by name gets what it asked for, which may be less than was offered.
  const bool all = requested_.names.empty() || requested_.every_one;
  if (all ? last_id_ != agreed_.sources : last_id_ == 0)
    throw Error(ExitStatus::Protocol, "peer announced " + std::to_string(agreed_.sources) +
                                          " entries and sent " + std::to_string(last_id_));
  if (streams_) link_.with_heartbeats([&] { streams_->finish(); });
  return fin;
}

// --- entries

void Reception::on_entry(const Frame& frame) {
  const uint64_t id = frame.header.entry;
  if (entry_open_) unexpected_frame(frame.header, "before the END of the entry before");
  if (id != last_id_ + 1 || id > kMaxEntries)
    throw Error(ExitStatus::Protocol, "peer sent an ENTRY with an id out of order");
  if (open_.size() >= kMaxOpenEntries)
    throw Error(ExitStatus::Protocol, "peer sent more entries than may be open");
  last_id_ = id;
  entry_open_ = true;
  const EntryInfo info = decode_entry(frame.body);
  if (id > agreed_.sources)
    throw Error(ExitStatus::Protocol, "peer sent more entries than it announced");
  if (!is_requested(id, info))
    throw Error(ExitStatus::Refused,
                "unsafe name " + quote(join_path(info.name)) + ": it was not asked for");
  open_entry(id, info);
}

bool Reception::is_requested(uint64_t id, const EntryInfo& info) const {
  if (requested_.names.empty()) return true;
  if (requested_.every_one)
    return id <= requested_.names.size() && info.name == requested_.names[id - 1];
  return info.name == requested_.names[0];
}

void Reception::open_entry(uint64_t id, const EntryInfo& info) {
  auto sink = destination_.sink_for(info);
  const std::string name = sink->name();
  try {
    if (!names_.insert(name).second)
      throw Error(ExitStatus::Refused, sink->describe() + ": a second entry of this name");
    if (!sink->open(agreed_)) return skip_entry(id, info, name);
    const bool parallel = streams_ && !info.open_ended;
    auto entry = std::make_shared<EntryWriter>(id, info, std::move(sink), agreed_, parallel);
    // A guess at the size decides nothing.
    entry->set_sink_facts(engines_.look_at(entry->fd(), info.open_ended ? 0 : info.size,
                                           agreed_.durability != Durability::None));
    // Every stream makes the same choice for an entry: this one is in the report.
    if (parallel && info.size > agreed_.block_bytes) (void)engines_.pick(entry->sink_facts());
    open_.add(id, std::move(entry));
    if (info.open_ended && info.size == 0)
      console_.no_total();
    else
      console_.add_total(info.size);
  } catch (const Error& error) {
    // A fault of this file only: its outcome, not the end of the session (session/ledger.h).
    drop(id, failed_outcome(id, name, error));
  }
}

void Reception::skip_entry(uint64_t id, const EntryInfo& info, const std::string& name) {
  EntryOutcome outcome;
  outcome.id = id;
  outcome.name = name;
  outcome.bytes = info.size;
  outcome.skipped = true;
  outcome.reason = "--overwrite leaves the existing file as it is";
  drop(id, std::move(outcome));
}

void Reception::drop(uint64_t id, EntryOutcome outcome) {
  link_.send(FrameType::Result, id, 0,
             encode(EntryResult{outcome.status, outcome.skipped, outcome.reason}));
  ledger_.add(std::move(outcome));
  open_.drop(id);  // and with it the temporary file
  // The sender may stop in the middle of it, without an END.
  if (id == last_id_) entry_open_ = false;
}

void Reception::drop_failed() {
  for (const auto& [id, entry] : open_.failed()) drop(id, entry->outcome());
}

void Reception::report_commits() {
  for (auto& entry : complete_) {
    EntryOutcome& outcome = entry->outcome();
    outcome.block_sum = entry->block_sum();
    if (entry->failed())
      link_.send(FrameType::Result, outcome.id, 0,
                 encode(EntryResult{outcome.status, false, outcome.reason}));
    ledger_.add(std::move(outcome));
  }
  complete_.clear();
  ledger_.confirm();
}

// --- content

void Reception::on_data(const FrameHeader& header) {
  blocks_.data(header, open_.find(header), [&](uint32_t rival) { streams_->evict(rival); });
  drop_failed();
}

void Reception::on_digest(const Frame& frame) {
  const auto entry = open_.find(frame.header);
  const BlockDigest digest = decode_block_digest(frame.body);
  const uint64_t id = frame.header.entry, offset = frame.header.offset;
  std::optional<uint32_t> ask_again;
  blocks_.digest(frame.header, digest, &ask_again);
  if (!entry) return;
  if (ask_again) {
    console_.detail(entry->describe() + ": the block at " + std::to_string(offset) +
                    " is not what was sent; asking for it again");
    link_.send(FrameType::Retry, id, offset, encode_retry(*ask_again));
  } else if (entry->info().open_ended || ++unacknowledged_blocks_ >= kBlocksPerAck) {
    // Of what comes out of a pipe the sender keeps what is not acknowledged, and waits when that is
    // too much.
    unacknowledged_blocks_ = 0;
    link_.send(FrameType::Ack, id, entry->verified_prefix(), {});
  }
  drop_failed();
}

void Reception::on_hole(const Frame& frame) {
  const auto entry = open_.find(frame.header);
  const uint64_t length = decode_hole(frame.body);
  if (!entry) return;
  blocks_.require_settled(*entry, "HOLE");
  const auto take = [&] { entry->hole(frame.header.offset, length, console_); };
  // To be hashed, or to be written.
  if (length > kLongHashBytes)
    link_.with_heartbeats(take);
  else
    take();
  drop_failed();
}

void Reception::on_end(const Frame& frame) {
  const auto entry = open_.find(frame.header);
  const EntryEnd end = decode_entry_end(frame.body);
  const uint64_t id = frame.header.entry;
  if (id == last_id_) entry_open_ = false;
  if (!entry) return;
  blocks_.require_settled(*entry, "END");
  bool complete = false;
  const auto take = [&] { complete = entry->end(frame.header.offset, end, blocks_.buffer()); };
  // The digest of the whole file may have to be made again, or to wait for who reads it.
  const bool waits = !entry->sink().keeps_content() || frame.header.offset > kLongHashBytes;
  if (agreed_.file_digest && waits)
    link_.with_heartbeats(take);
  else
    take();
  if (!complete) return;  // a further END follows the mended blocks
  if (entry->failed()) return drop_failed();
  link_.send(FrameType::Result, id, 0, encode(EntryResult{}));
  complete_.push_back(open_.take(id));
}

}  // namespace zx
