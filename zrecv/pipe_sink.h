// SPDX-License-Identifier: MIT
// PipeSink: an entry whose content is handed on, in its order, to standard output or a command.
// Until it is verified it is in a spool, an unnamed file, like that of any other entry; what is
// verified without a gap before it is handed on by a thread, and its memory given back, so that the
// reader never sees a byte that was not verified, and memory is bounded by a window. With
// --verify-first nothing is handed on before the commit, and the spool holds all.
// PipeDestination: gives that sink to one entry of a session, and no more.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/base/page_buffer.h"
#include "common/base/wake_fd.h"
#include "common/file/spool.h"
#include "common/integrity/digest.h"
#include "zrecv/destination.h"
#include "zrecv/pipe_output.h"

namespace zx {

class PipeSink final : public Sink {
 public:
  /// The output, and the event, which is set at a failure, must outlive it.
  PipeSink(const EntryInfo& info, PipeOutput& output, bool verify_first, WakeFd& event);
  ~PipeSink() override;

  const std::string& name() const override { return info_.name.back(); }
  std::string output_name() const override { return output_.is_command() ? "" : "-"; }
  std::string look(const Negotiated& agreed) override;
  void open() override;
  void finish(uint64_t size) override;
  int fd() const override { return spool_->fd(); }
  std::string describe() const override;
  PipeSink* pipe() override { return verify_first_ ? nullptr : this; }
  void publish(uint64_t size) override;

  // Of one that hands its content on while it comes: any thread, from open() on.

  /// All before `end` is verified; it does not become less.
  void verified(uint64_t end);
  /// Whether a block that ends at `end` may be written at once.
  bool has_room(uint64_t end) const;
  /// Waits until it may, or for a failure. owed(): a block that came before must come again, maybe
  /// behind this one. Throws Error{Timeout} when it is not the reader that is waited for and
  /// nothing comes for so long. Looks for a stop signal.
  void await_room(uint64_t end, const std::function<bool()>& owed, std::chrono::milliseconds idle);
  /// What has gone wrong meanwhile, if anything has.
  std::optional<Error> failure() const {
    const std::lock_guard lock(mutex_);
    return failure_;
  }
  /// XXH3-128 flat over the `size` bytes, where the session has file digests: waits until all is
  /// handed on. Looks for a stop signal. Throws what failure() has.
  Digest digest(uint64_t size);

 private:
  void hold_back();
  void stop();
  void run();
  bool idle_until_work();
  void hand_over_some();
  void await_handed(uint64_t size);
  bool let_in_behind_gap(uint64_t end);

  const EntryInfo info_;
  PipeOutput& output_;
  const bool verify_first_;
  WakeFd& event_;
  std::optional<Spool> spool_;
  std::string spool_place_;       // a directory, quoted; empty for memory
  std::optional<Hasher> hasher_;  // both where the session has file digests
  std::optional<PageBuffer> hash_buffer_;
  uint64_t window_ = 0, most_ahead_ = 0;  // see has_room(), let_in_behind_gap()
  bool published_ = false;
  bool reader_gone_ = false;  // noticed while there was nothing to hand over; of the thread
  bool command_looked_at_ = false;

  mutable std::mutex mutex_;  // for all that follows
  std::condition_variable moved_;
  uint64_t verified_ = 0, handed_ = 0;
  bool stopping_ = false;
  std::optional<Error> failure_;

  WakeFd work_;         // for the thread: more is verified, or it is to stop
  std::thread thread_;  // last
};

class PipeDestination final : public Destination {
 public:
  /// command: of --exec; without it standard output. Throws Error{Usage}, see PipeOutput.
  PipeDestination(std::optional<std::string> command, bool verify_first)
      : output_(std::move(command)), verify_first_(verify_first) {}

  void aim(const Negotiated& agreed, bool pull) override;
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry, WakeFd& event) override;
  std::string path() const override { return output_.path(); }

 private:
  [[noreturn]] void refuse_several() const;

  PipeOutput output_;
  const bool verify_first_;
  bool taken_ = false;
};

}  // namespace zx
