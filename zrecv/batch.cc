// SPDX-License-Identifier: MIT
#include "zrecv/batch.h"

#include <map>
#include <optional>

#include "common/base/error.h"
#include "common/base/stop.h"
#include "common/base/wait.h"
#include "common/file/space.h"

namespace zx {
namespace {

// A file below this size is closed when it is complete, and its file system synced for it...
constexpr uint64_t kSmallBytes = 1 << 20;
// ... but for the first ones of a batch, so that few files do not wait for what others write.
constexpr size_t kSmallOpen = 8;
// Files of a batch that have a descriptor at most, together with those.
constexpr size_t kLargeOpen = 8;

// Runs a step of one entry; a failure becomes its outcome.
template <typename Step>
void attempt(Verified& entry, Step&& step) {
  EntryOutcome& outcome = entry.outcome;
  if (outcome.status != ExitStatus::Ok) return;
  try {
    step();
  } catch (const Error& error) {
    outcome.status = error.status();
    outcome.reason = error.what() + entry.sink->remark();
    outcome.digest.reset();
  }
}

// Runs a step that is the same for many entries, for the first of them; all get what came of it.
class Once {
 public:
  template <typename Step>
  void run(Sink& sink, Step&& step) {
    const auto [at, first] = results_.try_emplace(sink.directory());
    auto& [failure, caveats] = at->second;
    if (first) {
      try {
        step(*sink.directory(), caveats);
      } catch (const Error& error) {
        failure = error;
      }
    }
    if (failure) throw Error(*failure);
    sink.caveats.insert(caveats.begin(), caveats.end());
  }

 private:
  std::map<const HeldDir*, std::pair<std::optional<Error>, Caveats>> results_;
};

void sync_file_system(const HeldDir& dir, Caveats& caveats) {
  sync_to_disk(dir.fd(), dir.describe(".") + ": sync the file system", caveats, /*whole=*/true);
}

void sync_names(const HeldDir& dir, Caveats& caveats) {
  try {
    dir.sync(caveats);
  } catch (const Error& error) {
    // It cannot be undone.
    throw Error(error.status(),
                std::string(error.what()) +
                    "; the new content is in place, but may not survive a power cut");
  }
}

}  // namespace

Committer::Committer(Durability durability, WakeFd& event)
    : durability_(durability), event_(event), thread_([this] { run(); }) {}

void Committer::stop() noexcept {
  ending_ = true;
  {
    const std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// --- the receiving thread

void Committer::add(Verified entry) {
  Item item{std::move(entry)};
  const uint64_t size = item.entry.outcome.bytes;
  const bool small = size < kSmallBytes && item.entry.sink->directory() != nullptr;
  if (small && durability_ != Durability::File) {
    const std::lock_guard lock(mutex_);
    item.open = waiting_.small_open < (durability_ == Durability::None ? 0 : kSmallOpen);
  }
  if (!item.open) attempt(item.entry, [&] { item.entry.sink->close(); });
  const std::lock_guard lock(mutex_);
  if (waiting_.items.empty()) waiting_.begun = std::chrono::steady_clock::now();
  waiting_.bytes += size;
  if (item.open) ++(small ? waiting_.small_open : waiting_.large);
  waiting_.items.push_back(std::move(item));
  if (is_due_locked() || waiting_.items.size() == 1) changed_.notify_all();
}

bool Committer::is_due_locked() const {
  return !waiting_.items.empty() &&
         (flush_ || durability_ == Durability::File || waiting_.items.size() >= kBatchEntries ||
          waiting_.bytes >= kBatchBytes || waiting_.large >= kLargeOpen ||
          std::chrono::steady_clock::now() - waiting_.begun >= kBatchAge);
}

bool Committer::is_behind_locked() const {
  return committing_ && waiting_.items.size() > 0 &&
         (durability_ != Durability::File || waiting_.items.size() >= kLargeOpen) &&
         is_due_locked();
}

void Committer::await_room() const {
  std::unique_lock lock(mutex_);
  (void)wait_for_change(changed_, lock, Clock::time_point::max(),
                        [&] { return fault_ || !is_behind_locked(); });
}

void Committer::flush() {
  const std::lock_guard lock(mutex_);
  flush_ = true;
  changed_.notify_all();
}

std::vector<EntryOutcome> Committer::take() {
  const std::lock_guard lock(mutex_);
  if (done_.empty() && fault_) std::rethrow_exception(fault_);
  return std::exchange(done_, {});
}

bool Committer::is_idle() const {
  const std::lock_guard lock(mutex_);
  return waiting_.items.empty() && !committing_ && done_.empty() && !fault_;
}

// --- the committing thread

void Committer::run() {
  const CancelScope scope(ending_);
  try {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      if (!is_due_locked()) {
        if (waiting_.items.empty())
          changed_.wait(lock);
        else
          changed_.wait_until(lock, waiting_.begun + kBatchAge);
        continue;
      }
      Batch batch = std::exchange(waiting_, {});
      committing_ = true;
      flush_ = false;
      changed_.notify_all();
      lock.unlock();
      commit(batch);
      batch.items.clear();  // what failed is removed here
      lock.lock();
      committing_ = false;
      changed_.notify_all();
      event_.set();
    }
  } catch (const Cancelled&) {
  } catch (...) {
    const std::lock_guard lock(mutex_);
    fault_ = std::current_exception();
    changed_.notify_all();
    event_.set();
  }
}

void Committer::commit(Batch& batch) {
  // Every file before any name: nothing was promised yet when a sync fails.
  if (durability_ != Durability::None) sync_files(batch);
  for (Item& item : batch.items) attempt(item.entry, [&] { item.entry.sink->close(); });
  // The last moment for a stop signal: from the first name on the batch is brought to its end. Only
  // a pipe, which waits for its reader or its command without limit, goes on looking.
  check_stop();
  for (Item& item : batch.items)
    attempt(item.entry, [&] { item.entry.sink->publish(item.entry.outcome.bytes); });
  if (durability_ != Durability::None) sync_directories(batch);
  const std::lock_guard lock(mutex_);
  for (Item& item : batch.items) {
    item.entry.outcome.caveats = std::move(item.entry.sink->caveats);
    done_.push_back(std::move(item.entry.outcome));
  }
}

void Committer::sync_files(Batch& batch) {
  Once once;
  bool whole = false;
  for (const Item& item : batch.items) whole = whole || !item.open;
  for (Item& item : batch.items)
    attempt(item.entry, [&] {
      const HeldDir* dir = item.entry.sink->directory();
      // What is closed cannot be synced alone; what is small need not be then.
      if (whole && dir != nullptr && item.entry.outcome.bytes < kSmallBytes)
        once.run(*item.entry.sink, sync_file_system);
      else
        item.entry.sink->sync();
      check_stop();
    });
}

// When it fails, no name in that directory is certain.
void Committer::sync_directories(Batch& batch) {
  Once once;
  for (Item& item : batch.items)
    if (item.entry.sink->directory() != nullptr)
      attempt(item.entry, [&] { once.run(*item.entry.sink, sync_names); });
}

}  // namespace zx
