// SPDX-License-Identifier: MIT
// AsyncIo: several reads or writes of files at a time, each from or into a slot of memory that it
// owns. By io_uring(7) with registered buffers; where that is forbidden or missing (seccomp
// profiles of containers, kernel.io_uring_disabled) by threads with pread(2) and pwrite(2). Knows
// nothing of what the bytes mean. One thread makes it, uses it and destroys it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "common/base/page_buffer.h"

namespace zx {

class AsyncIo {
 public:
  /// One request that has ended.
  struct Done {
    size_t slot = 0;
    int result = 0;  // bytes, maybe fewer than asked, or -errno
  };

  virtual ~AsyncIo() = default;
  AsyncIo(const AsyncIo&) = delete;
  AsyncIo& operator=(const AsyncIo&) = delete;

  size_t slots() const { return slots_; }
  size_t slot_bytes() const { return slot_bytes_; }
  /// The memory of a slot, page-aligned. Not to be written while a request on it is under way; not
  /// to be read while a read is.
  std::span<std::byte> slot(size_t index) {
    return memory_.span().subspan(index * slot_bytes_, slot_bytes_);
  }

  /// Starts a request on a slot that has none. The descriptor must stay open until its end.
  void read(size_t slot, int fd, uint64_t offset, size_t bytes);
  void write(size_t slot, int fd, uint64_t offset, size_t bytes);
  size_t in_flight() const { return in_flight_; }
  /// The next request that ends. There must be one in flight. Blocking; a stop signal is noticed.
  Done wait();
  /// Waits until nothing is in flight; results are dropped. Blocking, signals or not: the memory
  /// may not be freed before.
  void drain() noexcept;

  /// `why` there is direct I/O, and why it is by threads, where it is.
  std::string explain(const std::string& why) const {
    return why_threads_.empty() ? why : why + ", " + why_threads_;
  }

 protected:
  enum class Kind { Read, Write };
  struct Request {
    Kind kind{};
    size_t slot = 0;
    int fd = -1;
    uint64_t offset = 0;
    size_t bytes = 0;
  };
  enum class Signals { Notice, Ignore };

  AsyncIo(size_t slots, size_t slot_bytes, std::string why_threads)
      : slots_(slots),
        slot_bytes_(slot_bytes),
        why_threads_(std::move(why_threads)),
        memory_(slots * slot_bytes) {}
  /// Of a destructor, when requests may still be under way.
  void leak_memory() { memory_.leak(); }
  virtual void start(const Request& request) = 0;
  virtual Done finish(Signals signals) = 0;

 private:
  const size_t slots_, slot_bytes_;
  const std::string why_threads_;
  PageBuffer memory_;
  size_t in_flight_ = 0;
};

/// What the direct engines have in flight: 4 MiB, within the usual RLIMIT_MEMLOCK of 8 MiB.
constexpr size_t kDirectSlots = 4, kDirectSlotBytes = 1 << 20;

/// io_uring, else threads. slot_bytes: a multiple of 4096.
std::unique_ptr<AsyncIo> make_async_io(size_t slots, size_t slot_bytes);
/// Threads in any case; `why` is the reason to report.
std::unique_ptr<AsyncIo> make_thread_io(size_t slots, size_t slot_bytes, std::string why);

}  // namespace zx
