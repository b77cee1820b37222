// SPDX-License-Identifier: MIT
// PipeSink: an entry whose content is handed on, in its order, to standard output or a command.
// Until it is verified it is in a spool, an unnamed file, like that of any other entry; what is
// verified without a gap before it is handed on by a thread, and its memory given back, so that the
// reader never sees a byte that was not verified, and memory is bounded by a window. With
// --verify-first nothing is handed on before the commit, and the spool holds all.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "common/base/page_buffer.h"
#include "common/base/wake_fd.h"
#include "common/file/spool.h"
#include "common/integrity/digest.h"
#include "zrecv/pipe_output.h"
#include "zrecv/sink.h"

namespace zx {

class PipeSink final : public Sink, private Backpressure {
 public:
  /// The output, and the event, which is set at a failure, must outlive it. event: null for none.
  PipeSink(const EntryInfo& info, PipeOutput& output, bool verify_first, WakeFd* event);
  ~PipeSink() override;

  const std::string& name() const override { return info_.name.back(); }
  std::string output_name() const override { return output_.is_command() ? "" : "-"; }
  bool look(const Negotiated& agreed) override;
  void open() override;
  void finish(uint64_t size) override;
  int fd() const override { return spool_->fd(); }
  std::string describe() const override;
  Backpressure* backpressure() override { return verify_first_ ? nullptr : this; }
  void publish(const CommitPolicy& policy, uint64_t size) override;

 private:
  void verified(uint64_t end) override;
  bool has_room(uint64_t end) const override;
  void await_room(uint64_t end, const std::function<bool()>& owed,
                  std::chrono::milliseconds idle) override;
  std::optional<Error> failure() const override;
  Digest digest(uint64_t size) override;
  void hold_back();
  void start();
  void stop();
  void run();
  bool idle_until_work();
  std::optional<Error> hand_over_some();
  void await_handed(uint64_t size);
  bool has_room_locked(uint64_t end) const;
  bool let_in_behind_gap(uint64_t end);

  const EntryInfo info_;
  PipeOutput& output_;
  const bool verify_first_;
  WakeFd* const event_;
  bool file_digest_ = false;  // the session has them
  std::optional<Spool> spool_;
  std::string spool_place_;       // a directory, quoted; empty for memory
  std::optional<Hasher> hasher_;  // both where the session has file digests
  std::optional<PageBuffer> hash_buffer_;
  uint64_t window_ = 0, most_ahead_ = 0;  // see has_room_locked(), let_in_behind_gap()
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

}  // namespace zx
