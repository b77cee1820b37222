// SPDX-License-Identifier: MIT
// The ledger: what became of the entries. The exit status is computed from it, never from "nothing
// was thrown". Its size does not grow with the number of entries.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/caveat.h"
#include "common/base/exit_status.h"
#include "common/integrity/digest.h"
#include "common/wire/message.h"

namespace zx {

struct EntryOutcome {
  uint64_t id = 0;
  EntryKind kind = EntryKind::File;
  std::string name;      // as the sender calls it; unquoted
  uint64_t bytes = 0;    // actual size
  ExitStatus status{};   // Ok, or why this entry failed; SourceChanged: it vanished
  bool changed = false;  // the source changed while it was read
  bool skipped = false;  // --overwrite left the existing file alone
  uint64_t retransmitted_blocks = 0;
  std::string reason;            // for a failed or skipped entry; local text, or peer's quoted
  std::optional<Digest> digest;  // flat over the file, on request
  Caveats caveats;               // of a committed one
  std::string output_name;       // where the receiver put it; empty at the sender
  Digest block_sum{};            // DigestSum of its blocks
};

struct Totals {
  uint64_t entries = 0, bytes = 0;  // of entries that did not fail and were not skipped
  uint64_t directories = 0, symlinks = 0, hard_links = 0;  // of these
  uint64_t skipped = 0, failed = 0, vanished = 0;          // all the others
  uint64_t retransmitted_blocks = 0;                       // of all
  uint64_t deleted = 0;                                    // names that --delete has removed
  Digest root{};

  uint64_t files() const { return entries - directories - symlinks - hard_links; }
  uint64_t others() const { return skipped + failed + vanished; }
};

class Ledger {
 public:
  /// An entry whose outcome is final: committed, skipped, vanished or failed.
  void add(const EntryOutcome& outcome);
  /// What --delete has done, once.
  void add(const Deletion& deletion);
  /// How many were added.
  uint64_t entries() const { return entries_; }
  uint64_t failed() const { return totals_.failed; }
  uint64_t vanished() const { return totals_.vanished; }
  /// The entry, when there was only one.
  const EntryOutcome* only() const { return entries_ == 1 ? &*first_ : nullptr; }
  /// Over all entries that did not fail and were not skipped, in any order.
  Totals totals() const;
  /// There were some, and each could be synced.
  bool could_sync() const { return totals_.entries > 0 && !any_unsynced_; }
  /// One entry: its own status. Several: Partial when some failed and some did not, else the most
  /// severe. SourceChanged when all were committed and a source changed. Partial too when not all
  /// was deleted that should be.
  ExitStatus status() const;

 private:
  uint64_t entries_ = 0;
  std::optional<EntryOutcome> first_;
  ExitStatus worst_ = ExitStatus::Ok;
  bool any_changed_ = false, any_unsynced_ = false, deletion_failed_ = false;
  Totals totals_;  // but for its root
  DigestSum root_;
};

}  // namespace zx
