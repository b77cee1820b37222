// SPDX-License-Identifier: MIT
#include "common/session/ledger.h"

namespace zx {

bool Ledger::fail_later(uint64_t id, ExitStatus status, const std::string& reason) {
  for (EntryOutcome& outcome : outcomes_) {
    if (outcome.id != id || outcome.status != ExitStatus::Ok || outcome.skipped) continue;
    outcome.status = status;
    outcome.reason = reason;
    return true;
  }
  return false;
}

Totals Ledger::totals() const {
  Totals totals;
  DigestSum root;
  for (const EntryOutcome& outcome : outcomes_) {
    totals.retransmitted_blocks += outcome.retransmitted_blocks;
    if (outcome.status != ExitStatus::Ok || outcome.skipped) continue;
    ++totals.entries;
    totals.bytes += outcome.bytes;
    root.add(entry_part(outcome.id, outcome.bytes, outcome.block_sum));
  }
  totals.root = root.value();
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
