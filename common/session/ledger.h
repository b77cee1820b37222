// SPDX-License-Identifier: MIT
// The ledger: what became of the entries. The exit status is computed from it, never from "nothing
// was thrown". Its size does not grow with the number of entries.
#pragma once

#include <optional>
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
  std::string reason;            // for a failed or skipped entry; local text, or peer's quoted
  std::optional<Digest> digest;  // flat over the file, on request
  std::string output_name;       // where the receiver put it; empty at the sender
  Digest block_sum{};            // DigestSum of its blocks
};

struct Totals {
  uint64_t entries = 0, bytes = 0;    // of entries that did not fail and were not skipped
  uint64_t retransmitted_blocks = 0;  // of all
  Digest root{};
};

class Ledger {
 public:
  /// An entry whose outcome is final: committed, skipped or failed.
  void add(const EntryOutcome& outcome);
  /// How many were added.
  uint64_t entries() const { return entries_; }
  uint64_t failed() const { return failed_; }
  /// The first ones that failed, kMaxFailures at most.
  const std::vector<EntryOutcome>& failures() const { return failures_; }
  /// The entry, when there was only one.
  const EntryOutcome* only() const { return entries_ == 1 ? &*first_ : nullptr; }
  /// Over all entries that did not fail and were not skipped, in any order.
  Totals totals() const;
  /// One entry: its own status. Several: Partial when some failed and some did not, else the most
  /// severe. SourceChanged when all were committed and a source changed.
  ExitStatus status() const;

  static constexpr size_t kMaxFailures = 100;

 private:
  uint64_t entries_ = 0, failed_ = 0;
  std::optional<EntryOutcome> first_;
  std::vector<EntryOutcome> failures_;
  ExitStatus worst_ = ExitStatus::Ok;
  bool any_changed_ = false;
  Totals totals_;  // but for its root
  DigestSum root_;
};

}  // namespace zx
