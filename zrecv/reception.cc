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
// Freshly written bytes are hashed when so many have gathered: few calls, and still in cache (as
// fast as 64 KiB on a CPU with 512 KiB of L2, measured).
constexpr size_t kReadBackBytes = 1 << 20;

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
                     std::vector<std::string> requested, Console& console, Ledger& ledger)
    : session_(session),
      link_(session.link()),
      agreed_(session.agreed()),
      destination_(destination),
      engines_(engines),
      resend_engine_(make_buffered_receiver(link_.channel())),
      read_back_(kReadBackBytes),
      requested_(std::move(requested)),
      console_(console),
      ledger_(ledger) {}

Fin Reception::run() {
  for (;;) {
    const Frame frame = link_.read();
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
        on_switch();
        break;
      case FrameType::Fin:
        return on_fin(frame);
      default:
        unexpected_frame(frame.header, "while entries are received");
    }
    check_stop();
  }
}

// The key of the connection has protected enough; what goes on is the same stream of frames.
void Reception::on_switch() {
  (void)session_.switch_connection(/*first=*/false);
  engines_.use(link_.channel());
  resend_engine_ = make_buffered_receiver(link_.channel());
  console_.detail("the connection was replaced: its key has protected enough");
}

Fin Reception::on_fin(const Frame& frame) {
  if (!open_.empty()) unexpected_frame(frame.header, "before every entry had its result");
  const Fin fin = decode_fin(frame.body);
  // A pull by name gets what it asked for, which may be less than was offered.
  if (requested_.empty() ? last_id_ != agreed_.sources : last_id_ == 0)
    throw Error(ExitStatus::Protocol, "peer announced " + std::to_string(agreed_.sources) +
                                          " entries and sent " + std::to_string(last_id_));
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
  if (!requested_.empty() && info.name != requested_)
    throw Error(ExitStatus::Refused,
                "unsafe name " + quote(join_path(info.name)) + ": it was not asked for");
  open_entry(id, info);
}

void Reception::open_entry(uint64_t id, const EntryInfo& info) {
  Target target = destination_.target_for(info);
  const std::string shown = target.dir->describe(target.name);
  try {
    if (!names_.insert(target.name).second)
      throw Error(ExitStatus::Refused, shown + ": a second entry of this name");
    target.existing = target.dir->stat_child(target.name);
    if (target.existing) {
      if (S_ISDIR(target.existing->st_mode))
        throw Error(ExitStatus::FileIo, shown + ": is a directory");
      switch (
          decide_existing(agreed_.overwrite_here, agreed_.overwrite_peer, *target.existing, info)) {
        case Existing::Refuse:
          throw Error(ExitStatus::Refused, shown + ": exists already");
        case Existing::Skip:
          return skip_entry(id, info, target);
        case Existing::Replace:
          break;
      }
    }
    auto entry = std::make_unique<EntryWriter>(id, info, target, agreed_, read_back_);
    entry->sink() =
        engines_.look_at(entry->temp().fd(), info.size, agreed_.durability != Durability::None);
    open_.emplace(id, std::move(entry));
    console_.add_total(info.size);
  } catch (const Error& error) {
    // A fault of this file only: its outcome, not the end of the session (session/ledger.h).
    drop(id, failed_outcome(id, target.name, error));
  }
}

void Reception::skip_entry(uint64_t id, const EntryInfo& info, const Target& target) {
  EntryOutcome outcome;
  outcome.id = id;
  outcome.name = target.name;
  outcome.bytes = info.size;
  outcome.skipped = true;
  outcome.reason = "--overwrite leaves the existing file as it is";
  drop(id, std::move(outcome));
}

void Reception::drop(uint64_t id, EntryOutcome outcome) {
  link_.send(FrameType::Result, id, 0,
             encode(EntryResult{outcome.status, outcome.skipped, outcome.reason}));
  ledger_.add(std::move(outcome));
  open_.erase(id);  // and with it the temporary file
  dropped_.insert(id);
  // The sender may stop in the middle of it, without an END.
  if (id == last_id_) entry_open_ = false;
}

void Reception::drop_if_failed(uint64_t id) {
  const auto found = open_.find(id);
  if (found->second->failed()) drop(id, found->second->outcome());
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

// The writer for a frame; nothing for an entry that was dropped.
EntryWriter* Reception::writer(const FrameHeader& header) {
  const auto found = open_.find(header.entry);
  if (found != open_.end()) return found->second.get();
  if (!dropped_.contains(header.entry))
    throw Error(ExitStatus::Protocol, std::string("peer sent ") + frame_name(header.type) +
                                          " for an entry that is not open");
  return nullptr;
}

// --- content

void Reception::on_data(const FrameHeader& header) {
  EntryWriter* w = writer(header);
  if (w == nullptr) return discard(link_.channel(), header.length);
  const bool resent = (header.flags & kFlagResent) != 0;
  w->data(header, resent ? *resend_engine_ : engines_.pick(w->sink()), console_);
  drop_if_failed(header.entry);
}

void Reception::on_digest(const Frame& frame) {
  EntryWriter* w = writer(frame.header);
  const BlockDigest digest = decode_block_digest(frame.body);
  if (w == nullptr) return;
  const uint64_t id = frame.header.entry, offset = frame.header.offset;
  std::optional<uint32_t> ask_again;
  w->digest(offset, digest, &ask_again);
  if (ask_again) {
    console_.detail(w->temp().describe() + ": the block at " + std::to_string(offset) +
                    " is not what was sent; asking for it again");
    link_.send(FrameType::Retry, id, offset, encode_retry(*ask_again));
  } else if (++unacknowledged_blocks_ >= kBlocksPerAck) {
    unacknowledged_blocks_ = 0;
    link_.send(FrameType::Ack, id, w->verified_bytes(), {});
  }
  drop_if_failed(id);
}

void Reception::on_hole(const Frame& frame) {
  EntryWriter* w = writer(frame.header);
  const uint64_t length = decode_hole(frame.body);
  if (w == nullptr) return;
  const auto take = [&] { w->hole(frame.header.offset, length, console_); };
  if (agreed_.file_digest && length > kLongHashBytes)
    link_.with_heartbeats(take);
  else
    take();
}

void Reception::on_end(const Frame& frame) {
  EntryWriter* w = writer(frame.header);
  const EntryEnd end = decode_entry_end(frame.body);
  const uint64_t id = frame.header.entry;
  if (id == last_id_) entry_open_ = false;
  if (w == nullptr) return;
  bool complete = false;
  const auto take = [&] { complete = w->end(frame.header.offset, end); };
  // The digest of the whole file may have to be made again.
  if (agreed_.file_digest && frame.header.offset > kLongHashBytes)
    link_.with_heartbeats(take);
  else
    take();
  if (!complete) return;  // a further END follows the mended blocks
  if (w->failed()) return drop_if_failed(id);
  link_.send(FrameType::Result, id, 0, encode(EntryResult{}));
  complete_.push_back(std::move(open_.at(id)));
  open_.erase(id);
}

}  // namespace zx
