// SPDX-License-Identifier: MIT
// Committer: verified entries become files. Collects them to batches and commits each batch on a
// thread of its own, so that receiving goes on meanwhile: sync of the files, which have their
// metadata, then names, then sync of the directories: any other order loses a file or its name in a
// power cut. The only place where the final name of a file or link appears; directories are made
// for what comes into them, and get mode and time here.
//
// Many small files are made durable by one sync of their file system (syncfs(2)): then their
// descriptors are closed as soon as they are complete. Of large ones each has an fsync(2) of its
// own. A failed sync is final for all that it covered.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "common/base/wake_fd.h"
#include "zrecv/incoming_entry.h"

namespace zx {

/// A batch is committed when it has so many entries or bytes, or when its first entry has waited
/// for so long.
constexpr size_t kBatchEntries = 4096;
constexpr uint64_t kBatchBytes = 256 << 20;
constexpr std::chrono::milliseconds kBatchAge{1000};

class Committer {
 public:
  /// `event` is set when outcomes can be taken. It must outlive this.
  /// verify_disk: what is synced is read again from the disk before it counts.
  Committer(Durability durability, WakeFd& event, bool verify_disk = false);
  /// Ends the thread. What waits for its commit is dropped; a batch whose first name has appeared
  /// is brought to its end before.
  ~Committer() { stop(); }
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

  // Of one thread.

  /// A verified entry with its sink.
  void add(Verified entry);
  /// Whether two batches wait: then no more should come before await_room().
  bool is_behind() const {
    const std::lock_guard lock(mutex_);
    return is_behind_locked();
  }
  /// Blocking, looks for a stop signal.
  void await_room() const;
  /// Commits what waits, whatever its size.
  void flush();
  /// The outcomes that have become final since the last call. An entry that was committed is
  /// durable when durability is not None. Throws what has ended the thread.
  std::vector<EntryOutcome> take();
  /// Nothing is left to be committed or taken.
  bool is_idle() const;
  /// Ends the thread as the destructor does; take() then has the last outcomes.
  void stop() noexcept;

 private:
  struct Item {
    Verified entry;
    bool open = true;  // its descriptor
  };
  struct Batch {
    std::vector<Item> items;
    uint64_t bytes = 0;
    size_t name_bytes = 0;
    size_t large = 0, small_open = 0;
    size_t directories = 0;  // that are held for it; one that others came between counts again
    const HeldDir* last_directory = nullptr;
    std::chrono::steady_clock::time_point begun{};
  };

  bool is_due_locked() const;
  bool is_behind_locked() const;
  void run();
  void commit(Batch& batch);
  void sync_files(Batch& batch);
  void check_files(Batch& batch);
  void sync_directories(Batch& batch);

  const Durability durability_;
  const bool verify_disk_;
  WakeFd& event_;
  const size_t most_directories_;
  std::atomic<bool> ending_{false};

  mutable std::mutex mutex_;  // for all that follows
  mutable std::condition_variable changed_;
  Batch waiting_;
  bool flush_ = false, committing_ = false;
  std::vector<EntryOutcome> done_;
  std::exception_ptr fault_;

  std::thread thread_;  // last
};

}  // namespace zx
