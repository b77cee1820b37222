// SPDX-License-Identifier: MIT
#include "common/session/ledger.h"

namespace zx {

void Ledger::add(const EntryOutcome& outcome) {
  if (entries_++ == 0) first_ = outcome;
  totals_.retransmitted_blocks += outcome.retransmitted_blocks;
  if (outcome.status == ExitStatus::SourceChanged) {
    any_changed_ = true;
    ++totals_.vanished;
    return;
  }
  if (outcome.status != ExitStatus::Ok) {
    ++totals_.failed;
    worst_ = more_severe(worst_, outcome.status);
    return;
  }
  any_changed_ = any_changed_ || outcome.changed;
  if (outcome.skipped) {
    ++totals_.skipped;
    return;
  }
  any_unsynced_ = any_unsynced_ || outcome.caveats.contains(Caveat::Sync);
  ++totals_.entries;
  totals_.directories += static_cast<uint64_t>(outcome.kind == EntryKind::Directory);
  totals_.symlinks += static_cast<uint64_t>(outcome.kind == EntryKind::Symlink);
  totals_.hard_links += static_cast<uint64_t>(outcome.kind == EntryKind::HardLink);
  totals_.bytes += outcome.bytes;
  root_.add(entry_part(outcome.id, outcome.bytes, outcome.block_sum));
}

void Ledger::add(const Deletion& deletion) {
  totals_.deleted += deletion.deleted;
  deletion_failed_ = deletion_failed_ || deletion.failed;
}

Totals Ledger::totals() const {
  Totals totals = totals_;
  totals.root = root_.value();
  return totals;
}

ExitStatus Ledger::status() const {
  if (failed() > 0) return failed() < entries_ ? ExitStatus::Partial : worst_;
  if (deletion_failed_) return ExitStatus::Partial;
  return any_changed_ ? ExitStatus::SourceChanged : ExitStatus::Ok;
}

}  // namespace zx
