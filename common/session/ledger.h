// SPDX-License-Identifier: MIT
// The ledger: what became of each entry. The exit status is computed from it, never from "nothing
// was thrown".
#pragma once

#include <string>
#include <vector>

#include "common/base/exit_status.h"
#include "common/integrity/digest.h"

namespace zx {

struct EntryOutcome {
  uint64_t id = 0;
  std::string name;      // as the sender calls it; unquoted
  uint64_t bytes = 0;    // actual size
  ExitStatus status{};   // Ok, or why this entry failed
  bool changed = false;  // the source changed while it was read
  bool skipped = false;  // --overwrite left the existing file alone
  uint64_t retransmitted_blocks = 0;
  std::string reason;  // for a failed or skipped entry; local text, or peer's quoted
  bool has_digest = false;
  Digest digest{};          // flat over the file, on request
  std::string output_name;  // where the receiver put it; empty at the sender
  Digest block_sum{};       // DigestSum of its blocks
};

struct Totals {
  uint64_t entries = 0, bytes = 0;    // of entries that did not fail and were not skipped
  uint64_t retransmitted_blocks = 0;  // of all
  Digest root{};
};

class Ledger {
 public:
  void add(EntryOutcome outcome) { outcomes_.push_back(std::move(outcome)); }
  /// An entry that was verified could not be committed after all. False when there is none such.
  bool fail_later(uint64_t id, ExitStatus status, const std::string& reason);
  const std::vector<EntryOutcome>& outcomes() const { return outcomes_; }
  /// What is Ok so far is now committed, as this side knows: until then it is only verified, and a
  /// run that ends early must not report it.
  void confirm() { confirmed_ = true; }
  bool confirmed() const { return confirmed_; }
  /// Over all entries that did not fail and were not skipped, in any order.
  Totals totals() const;
  /// One entry: its own status. Several: Partial when some failed and some did not, else the most
  /// severe. SourceChanged when all were committed and a source changed.
  ExitStatus status() const;

 private:
  std::vector<EntryOutcome> outcomes_;
  bool confirmed_ = false;
};

}  // namespace zx
