// SPDX-License-Identifier: MIT
#include "zrecv/commit.h"

#include <map>
#include <optional>

#include "common/base/error.h"
#include "common/base/stop.h"

namespace zx {
namespace {

// Runs a step of one entry; a failure becomes its outcome.
template <typename Step>
void attempt(EntryWriter& entry, Step&& step) {
  EntryOutcome& outcome = entry.outcome();
  if (outcome.status != ExitStatus::Ok) return;
  try {
    step();
  } catch (const Error& error) {
    outcome.status = error.status();
    outcome.reason = error.what() + entry.sink().remark();
  }
}

// One sync for each directory. When it fails, no name in that directory is certain.
void sync_directories(std::vector<std::shared_ptr<EntryWriter>>& entries) {
  std::map<const HeldDir*, std::optional<Error>> results;
  for (auto& entry : entries) {
    const HeldDir* dir = entry->sink().directory();
    if (dir == nullptr) continue;
    attempt(*entry, [&] {
      const auto [at, first] = results.try_emplace(dir);
      if (first) {
        try {
          dir->sync();
        } catch (const Error& error) {
          at->second = error;
        }
      }
      if (at->second) throw Error(*at->second);
    });
  }
}

}  // namespace

void commit_entries(std::vector<std::shared_ptr<EntryWriter>>& entries,
                    const CommitPolicy& policy) {
  const bool sync = policy.durability != Durability::None;

  for (auto& entry : entries) attempt(*entry, [&] { entry->sink().prepare(policy); });
  // Every file before any name: a failed sync is final for its file and nothing was promised yet.
  if (sync)
    for (auto& entry : entries) attempt(*entry, [&] { entry->sink().sync(); });
  // The last moment for a stop signal: from the first rename on the commit runs to its end.
  check_stop();
  for (auto& entry : entries)
    attempt(*entry, [&] { entry->sink().publish(policy, entry->outcome().bytes); });
  if (sync) sync_directories(entries);
}

}  // namespace zx
