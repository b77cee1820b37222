// SPDX-License-Identifier: MIT
#include "common/session/ledger.h"

namespace zx {

void Ledger::add(EntryOutcome outcome, const Digest& block_sum) {
  if (outcome.status == ExitStatus::Ok && !outcome.skipped)
    root_.add(entry_part(outcome.id, outcome.bytes, block_sum));
  outcomes_.push_back(std::move(outcome));
}

Totals Ledger::totals() const {
  Totals totals;
  for (const EntryOutcome& outcome : outcomes_) {
    totals.retransmitted_blocks += outcome.retransmitted_blocks;
    if (outcome.status != ExitStatus::Ok || outcome.skipped) continue;
    ++totals.entries;
    totals.bytes += outcome.bytes;
  }
  totals.root = root_.value();
  return totals;
}

ExitStatus Ledger::status() const {
  ExitStatus worst = ExitStatus::Ok;
  bool any_good = false, any_changed = false;
  for (const EntryOutcome& outcome : outcomes_) {
    if (outcome.status != ExitStatus::Ok)
      worst = more_severe(worst, outcome.status);
    else
      any_good = true;
    any_changed = any_changed || (outcome.changed && outcome.status == ExitStatus::Ok);
  }
  if (worst != ExitStatus::Ok) return any_good ? ExitStatus::Partial : worst;
  return any_changed ? ExitStatus::SourceChanged : ExitStatus::Ok;
}

}  // namespace zx
