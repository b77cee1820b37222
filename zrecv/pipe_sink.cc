// SPDX-License-Identifier: MIT
#include "zrecv/pipe_sink.h"

#include <poll.h>
#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/io.h"
#include "common/base/memory.h"
#include "common/base/quote.h"
#include "common/base/wait.h"
#include "common/file/name.h"
#include "common/file/space.h"
#include "common/session/stream_count.h"

namespace zx {
namespace {

// What may be in the spool before the reader takes it, and never less than one block for each
// stream and one more: so much is on its way at a time.
constexpr uint64_t kWindowBytes = 64 << 20;
// Beyond the window, when a block has to come again behind others: with so many damaged ones a
// broken path is given up too.
constexpr uint64_t kMaxOwedBlocks = kMaxDamagedBlocks;
// At a time to the reader: as much as its pipe holds.
constexpr size_t kPieceBytes = 1 << 20;
// Memory is given back in steps of a huge page. A part of one would be cleared in place, under the
// readers who have got it through a pipe; whole ones only lose their place in the file.
constexpr uint64_t kReleaseBytes = 2 << 20;
// With --verify-first: so much is held in memory rather than on a disk.
constexpr uint64_t kSmallBytes = 16 << 20;

}  // namespace

PipeSink::PipeSink(const EntryInfo& info, PipeOutput& output, bool verify_first, WakeFd& event)
    : info_(info), output_(output), verify_first_(verify_first), event_(event) {}

PipeSink::~PipeSink() {
  stop();
  if (!published_) output_.abandon();
}

std::string PipeSink::describe() const {
  return output_.describe() + (spool_place_.empty() ? "" : " (held in " + spool_place_ + ")");
}

std::string PipeSink::look(const Negotiated& agreed) {
  if (agreed.file_digest && !verify_first_) {
    hasher_.emplace();
    hash_buffer_.emplace(kPieceBytes);
  }
  const uint64_t streams = agreed.streams == 0 ? kMostByItself : agreed.streams;
  window_ = std::max(kWindowBytes, (streams + 1) * agreed.block_bytes);
  most_ahead_ = window_ + kMaxOwedBlocks * agreed.block_bytes;
  return "";
}

void PipeSink::open() {
  if (verify_first_) return hold_back();
  spool_ = Spool::in_memory();
  // At once, so that holes at the end are there to be read: they are not written.
  if (!info_.open_ended) finish(info_.size);
  output_.start();
  thread_ = std::thread([this] { run(); });
}

// On a disk when it may be large, and in memory where no disk will have it.
void PipeSink::hold_back() {
  if (!info_.open_ended && info_.size <= kSmallBytes) {
    spool_ = Spool::in_memory();
    return;
  }
  const char* variable = getenv("TMPDIR");
  const std::string chosen = variable != nullptr ? variable : "";
  const std::string directory = chosen.empty() ? "/var/tmp" : chosen;
  try {
    spool_ = Spool::on_disk(directory);
  } catch (const Error& error) {
    if (!chosen.empty()) throw Error(error.status(), std::string("TMPDIR: ") + error.what());
    // How much that would take of the memory nobody knows.
    if (error.status() != ExitStatus::FileIo || info_.open_ended) throw;
    const uint64_t available = available_memory();
    if (available > 0 && info_.size > available)
      throw Error(ExitStatus::NoSpace,
                  std::string(error.what()) + ", and there is not so much memory");
    spool_ = Spool::in_memory();
    return;
  }
  spool_place_ = quote(directory);
  if (!info_.sparse && !info_.open_ended) reserve_space(spool_->fd(), info_.size, describe());
}

void PipeSink::finish(uint64_t size) {
  set_length(fd(), size, describe());
}

// --- while content comes

void PipeSink::verified(uint64_t end) {
  const std::lock_guard lock(mutex_);
  if (end <= verified_) return;
  verified_ = end;
  work_.set();
}

bool PipeSink::has_room(uint64_t end) const {
  const std::lock_guard lock(mutex_);
  return failure_ || end <= handed_ + window_;
}

// What fills the gap may be behind this block: then it must be let in, when the reader has got all
// that is before the gap.
bool PipeSink::let_in_behind_gap(uint64_t end) {
  if (handed_ < verified_) return false;
  if (end > handed_ + most_ahead_)
    failure_ =
        Error(ExitStatus::Refused, describe() + ": more than " + std::to_string(most_ahead_) +
                                       " bytes came before a block that is missing");
  return true;
}

void PipeSink::await_room(uint64_t end, const std::function<bool()>& owed,
                          std::chrono::milliseconds idle) {
  auto last_move = Clock::now();
  uint64_t seen = 0;
  for (;;) {
    const bool gap = owed();  // not under the lock: who answers tells this sink of blocks
    std::unique_lock lock(mutex_);
    if (failure_ || end <= handed_ + window_ || (gap && let_in_behind_gap(end))) return;
    wait_a_moment(moved_, lock);
    const auto now = Clock::now();
    if (handed_ + verified_ != seen || handed_ < verified_) last_move = now;
    seen = handed_ + verified_;
    if (now - last_move > idle)
      throw Error(ExitStatus::Timeout, describe() + ": a block that is missing does not come");
  }
}

Digest PipeSink::digest(uint64_t size) {
  await_handed(size);
  return hasher_->value();
}

// Throws what has failed.
void PipeSink::await_handed(uint64_t size) {
  std::unique_lock lock(mutex_);
  (void)wait_for_change(moved_, lock, Clock::time_point::max(),
                        [&] { return failure_ || handed_ >= size; });
  if (failure_) throw Error(*failure_);
}

// --- the commit

void PipeSink::publish(uint64_t size) {
  if (verify_first_) {
    output_.start();
    verified(size);
    thread_ = std::thread([this] { run(); });
  }
  await_handed(size);
  stop();  // it polls the pipe, and as long as it does the pipe is not closed
  output_.finish();
  published_ = true;
}

// --- the thread

void PipeSink::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.set();
  if (thread_.joinable()) thread_.join();
}

void PipeSink::run() {
  std::optional<Error> error;
  try {
    while (idle_until_work()) hand_over_some();
    return;
  } catch (const Interrupted&) {
    return;  // the main thread sees it too
  } catch (const Error& thrown) {
    error = thrown;
  } catch (const std::exception& thrown) {
    error = Error(ExitStatus::Internal, describe() + ": " + thrown.what());
  }
  const std::lock_guard lock(mutex_);
  failure_ = error;
  moved_.notify_all();
  event_.set();
}

// Until there is something to hand over and somebody who takes it; false when it is to stop.
bool PipeSink::idle_until_work() {
  for (;;) {
    work_.clear();
    bool work = false, more_comes = false;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      work = handed_ < verified_;
      more_comes = !info_.open_ended && verified_ < info_.size;
    }
    // A reader that leaves is noticed at once, but counts only when it has missed something. (What
    // poll(2) shall not look at has a negative descriptor.)
    std::array<pollfd, 3> fds{{{work_.fd(), POLLIN, 0},
                               {reader_gone_ && !work ? -1 : output_.fd(), 0, 0},
                               {command_looked_at_ ? -1 : output_.process_fd(), POLLIN, 0}}};
    if (work) fds[1].events = POLLOUT;
    if (retry_regardless([&] { return poll(fds.data(), fds.size(), -1); }) < 0)
      throw_errno(ExitStatus::Internal, "poll", errno);
    // One that has failed counts at once, also when others still hold its input.
    if (fds[2].revents != 0) {
      command_looked_at_ = true;
      output_.check_command();
    }
    if (fds[1].fd >= 0 && (fds[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
      reader_gone_ = true;
    if (work && (fds[1].revents != 0)) return true;
    if (reader_gone_ && more_comes) throw output_.failed(EPIPE);
  }
}

void PipeSink::hand_over_some() {
  uint64_t begin = 0, end = 0;
  {
    const std::lock_guard lock(mutex_);
    begin = handed_;
    end = verified_;
  }
  const auto bytes = static_cast<size_t>(std::min<uint64_t>(end - begin, kPieceBytes));
  const ssize_t n = output_.hand_over(fd(), begin, bytes);
  if (n < 0) throw output_.failed(static_cast<int>(-n));
  if (hasher_ && n > 0) {
    // Once more out of the cache: what was hashed block by block did not come in this order.
    const auto piece = hash_buffer_->first(static_cast<size_t>(n));
    const ssize_t got = pread_full(fd(), piece, begin);
    if (got != n)
      throw_errno(ExitStatus::FileIo, describe() + ": read what was written",
                  got < 0 ? static_cast<int>(-got) : EIO);
    hasher_->update(piece);
  }
  const uint64_t handed = begin + static_cast<uint64_t>(n);
  spool_->appended(end - spool_->end());
  spool_->release_to(handed / kReleaseBytes * kReleaseBytes);
  const std::lock_guard lock(mutex_);
  handed_ = handed;
  moved_.notify_all();
}

// --- the destination

void PipeDestination::refuse_several() const {
  throw Error(ExitStatus::Refused, output_.describe() + " takes one file, not several");
}

void PipeDestination::aim(const Negotiated& agreed, bool pull) {
  if (!pull && !agreed.path.empty())
    throw Error(ExitStatus::Refused, "the peer named " + quote(join_path(agreed.path)) +
                                         ", but this side receives for " + output_.describe());
  if (agreed.durability != Durability::None)
    throw Error(ExitStatus::Refused,
                "the peer insists on --durability, which " + output_.describe() + " cannot give");
  if (agreed.verify_disk)
    throw Error(ExitStatus::Refused,
                "the peer insists on --verify=disk, which " + output_.describe() + " cannot give");
  // A pull by name is for one of them.
  if (agreed.several && agreed.path.empty()) refuse_several();
}

std::unique_ptr<Sink> PipeDestination::sink_for(const EntryInfo& entry, WakeFd& event) {
  check_entry_name(entry);
  check_has_content(entry);
  if (std::exchange(taken_, true)) refuse_several();
  return std::make_unique<PipeSink>(entry, output_, verify_first_, event);
}

}  // namespace zx
