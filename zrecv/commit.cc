// SPDX-License-Identifier: MIT
#include "zrecv/commit.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/stop.h"

namespace zx {
namespace {

mode_t current_umask() {
  const mode_t mask = umask(077);
  umask(mask);
  return mask;
}

// Never setuid, setgid or sticky: the sender does not decide about those.
mode_t final_mode(const EntryWriter& entry, const Target& target, bool keep_full) {
  const auto sent = static_cast<mode_t>(entry.info().mode & 0777);
  if (keep_full) return sent;
  if (target.existing && S_ISREG(target.existing->st_mode)) return target.existing->st_mode & 0777;
  static const mode_t mask = current_umask();
  return sent & ~mask;
}

void prepare(EntryWriter& entry, const CommitPolicy& policy) {
  const EntryInfo& info = entry.info();
  const timespec mtime{info.mtime_sec, info.mtime_nsec};
  entry.file().set_metadata(final_mode(entry, entry.target(), policy.keep_full_mode),
                            policy.keep_times ? &mtime : nullptr);
}

// Runs a step of one entry; a failure becomes its outcome.
template <typename Step>
void attempt(EntryWriter& entry, Step&& step) {
  EntryOutcome& outcome = entry.outcome();
  if (outcome.status != ExitStatus::Ok) return;
  try {
    step();
  } catch (const Error& error) {
    outcome.status = error.status();
    outcome.reason = error.what() + entry.file().remark();
  }
}

// One sync for each directory. When it fails, no name in that directory is certain.
void sync_directories(std::vector<std::shared_ptr<EntryWriter>>& entries) {
  std::map<const HeldDir*, std::optional<Error>> results;
  for (auto& entry : entries) {
    const HeldDir* dir = entry->file().directory();
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
  const bool never =
      policy.overwrite_here == Overwrite::Never || policy.overwrite_peer == Overwrite::Never;
  const Replace replace = never ? Replace::No : Replace::Yes;

  for (auto& entry : entries) attempt(*entry, [&] { prepare(*entry, policy); });
  // Every file before any name: a failed sync is final for its file and nothing was promised yet.
  if (sync)
    for (auto& entry : entries) attempt(*entry, [&] { entry->file().sync(); });
  // The last moment for a stop signal: from the first rename on the commit runs to its end.
  check_stop();
  for (auto& entry : entries)
    attempt(*entry, [&] { entry->file().commit(replace, entry->outcome().bytes); });
  if (sync) sync_directories(entries);
}

}  // namespace zx
