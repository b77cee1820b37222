// SPDX-License-Identifier: MIT
#include "zrecv/batch.h"

#include <sys/resource.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

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
// Deep in a tree a name may be longer than a small file.
constexpr size_t kBatchNameBytes = 4 << 20;
// Files of a batch that have a descriptor at most, together with those.
constexpr size_t kLargeOpen = 8;
// More directories than this are made durable by one sync of their file system.
constexpr size_t kSyncedAlone = 8;
// A batch holds the directories that its entries go into. Each has a descriptor: of those that the
// process may have two batches take a quarter.
constexpr size_t kMostDirectories = 1024, kFewDirectories = 8;

size_t most_directories() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kFewDirectories;
  return std::clamp<size_t>(limit.rlim_cur / 8, kFewDirectories, kMostDirectories);
}

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
template <typename Key>
class Once {
 public:
  template <typename Step>
  void run(const Key& key, Caveats& into, Step&& step) {
    const auto [at, first] = results_.try_emplace(key);
    auto& [failure, caveats] = at->second;
    if (first) {
      try {
        step(caveats);
      } catch (const Error& error) {
        failure = error;
      }
    }
    if (failure) throw Error(*failure);
    into.insert(caveats.begin(), caveats.end());
  }

 private:
  std::map<Key, std::pair<std::optional<Error>, Caveats>> results_;
};

// Which file system a directory is on, asked once.
class Devices {
 public:
  dev_t of(const HeldDir& dir) {
    const auto [at, first] = devices_.try_emplace(&dir);
    struct stat st {};
    if (first && fstat(dir.fd(), &st) == 0) at->second = st.st_dev;
    return at->second;
  }

 private:
  std::map<const HeldDir*, dev_t> devices_;
};

// Where the name of an entry has appeared; and itself, when it is a directory.
std::vector<const HeldDir*> directories_of(const Sink& sink) {
  std::vector<const HeldDir*> out;
  for (const HeldDir* dir : {sink.directory(), sink.itself()})
    if (dir != nullptr) out.push_back(dir);
  return out;
}

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

Committer::Committer(Durability durability, WakeFd& event, bool verify_disk)
    : durability_(durability),
      verify_disk_(verify_disk),
      event_(event),
      most_directories_(most_directories()),
      thread_([this] { run(); }) {}

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
  waiting_.name_bytes += item.entry.outcome.name.size() + item.entry.outcome.output_name.size();
  if (const HeldDir* dir = item.entry.sink->directory(); dir != waiting_.last_directory) {
    waiting_.last_directory = dir;
    ++waiting_.directories;
  }
  if (item.entry.sink->itself() != nullptr) ++waiting_.directories;
  if (item.open) ++(small ? waiting_.small_open : waiting_.large);
  waiting_.items.push_back(std::move(item));
  if (is_due_locked() || waiting_.items.size() == 1) changed_.notify_all();
}

bool Committer::is_due_locked() const {
  return !waiting_.items.empty() &&
         (flush_ || durability_ == Durability::File || waiting_.items.size() >= kBatchEntries ||
          waiting_.bytes >= kBatchBytes || waiting_.large >= kLargeOpen ||
          waiting_.directories >= most_directories_ || waiting_.name_bytes >= kBatchNameBytes ||
          std::chrono::steady_clock::now() - waiting_.begun >= kBatchAge);
}

bool Committer::is_behind_locked() const {
  // Also when the thread has not looked yet: descriptors are few.
  if (waiting_.large >= kLargeOpen || waiting_.directories >= most_directories_ ||
      waiting_.name_bytes >= kBatchNameBytes)
    return true;
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
  if (verify_disk_) check_files(batch);
  for (Item& item : batch.items) attempt(item.entry, [&] { item.entry.sink->close(); });
  // The last moment for a stop signal: from the first name on the batch is brought to its end. Only
  // a pipe, which waits for its reader or its command without limit, goes on looking.
  check_stop();
  for (Item& item : batch.items) {
    attempt(item.entry, [&] { item.entry.sink->publish(item.entry.outcome.bytes); });
    // Its temporary file goes before its directory gets mode and time, behind it.
    if (item.entry.outcome.status != ExitStatus::Ok) item.entry.sink.reset();
  }
  if (durability_ != Durability::None) sync_directories(batch);
  const std::lock_guard lock(mutex_);
  for (Item& item : batch.items) {
    if (item.entry.sink) item.entry.outcome.caveats = std::move(item.entry.sink->caveats);
    if (item.entry.failure && item.entry.outcome.status == ExitStatus::Ok) {
      item.entry.outcome.status = item.entry.failure->status();
      item.entry.outcome.reason = item.entry.failure->what();
    }
    done_.push_back(std::move(item.entry.outcome));
  }
}

void Committer::sync_files(Batch& batch) {
  Once<dev_t> once;
  Devices devices;
  bool whole = false;
  for (const Item& item : batch.items) whole = whole || !item.open;
  for (Item& item : batch.items)
    attempt(item.entry, [&] {
      Sink& sink = *item.entry.sink;
      const HeldDir* dir = sink.directory();
      // What is closed cannot be synced alone; what is small need not be then.
      if (whole && dir != nullptr && item.entry.outcome.bytes < kSmallBytes)
        once.run(devices.of(*dir), sink.caveats, [&](Caveats& c) { sync_file_system(*dir, c); });
      else
        sink.sync();
      check_stop();
    });
}

void Committer::check_files(Batch& batch) {
  for (Item& item : batch.items)
    attempt(item.entry, [&] {
      Sink& sink = *item.entry.sink;
      const EntryOutcome& outcome = item.entry.outcome;
      if (outcome.kind != EntryKind::File || outcome.bytes == 0) return;
      const UniqueFd fd = sink.reopen();
      if (!fd.valid()) {
        sink.caveats.try_emplace(Caveat::Disk, "it may not be read");
        return;
      }
      check_on_disk(fd.get(), sink.describe(), std::move(item.entry.blocks), outcome.bytes,
                    outcome.block_sum, sink.caveats);
    });
}

// When it fails, no name in that directory is certain.
void Committer::sync_directories(Batch& batch) {
  std::set<const HeldDir*> all;
  for (const Item& item : batch.items)
    if (item.entry.sink)
      for (const HeldDir* dir : directories_of(*item.entry.sink)) all.insert(dir);
  const bool many = all.size() > kSyncedAlone;
  Once<const HeldDir*> alone;
  Once<dev_t> whole;
  Devices devices;
  for (Item& item : batch.items)
    attempt(item.entry, [&] {
      Caveats& caveats = item.entry.sink->caveats;
      for (const HeldDir* dir : directories_of(*item.entry.sink)) {
        const auto names = [&](Caveats& c) { sync_names(*dir, c); };
        if (!many) {
          alone.run(dir, caveats, names);
          continue;
        }
        // And one by itself: syncfs(2) did not tell an error of the journal before Linux 5.17.
        whole.run(devices.of(*dir), caveats, [&](Caveats& c) {
          sync_file_system(*dir, c);
          names(c);
        });
      }
    });
}

}  // namespace zx
