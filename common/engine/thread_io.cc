// SPDX-License-Identifier: MIT
// AsyncIo by threads.
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "common/base/io.h"
#include "common/base/wait.h"
#include "common/engine/async_io.h"

namespace zx {
namespace {

// As many requests as a disk needs to be busy; each thread does one.
constexpr size_t kThreads = 4;

class ThreadIo final : public AsyncIo {
 public:
  ThreadIo(size_t slots, size_t slot_bytes, std::string why)
      : AsyncIo(slots, slot_bytes, std::move(why)) {
    try {
      while (threads_.size() < kThreads) threads_.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      // RLIMIT_NPROC: with the threads there are, or none (start() does the work then).
    }
  }
  ~ThreadIo() override {
    drain();
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wanted_.notify_all();
    threads_.clear();  // joins
  }

 private:
  Done carry_out(const Request& r) {
    // Only the main thread deals with signals.
    const ssize_t n = retry_regardless([&] {
      return r.kind == Kind::Read ? pread(r.fd, slot(r.slot).data(), r.bytes, to_off(r.offset))
                                  : pwrite(r.fd, slot(r.slot).data(), r.bytes, to_off(r.offset));
    });
    return {r.slot, n < 0 ? -errno : static_cast<int>(n)};
  }

  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wanted_.wait(lock, [&] { return ending_ || !requests_.empty(); });
      if (requests_.empty()) return;
      const Request request = requests_.front();
      requests_.pop_front();
      lock.unlock();
      const Done done = carry_out(request);
      lock.lock();
      results_.push_back(done);
      ended_.notify_one();
    }
  }

  void start(const Request& request) override {
    if (threads_.empty()) {
      results_.push_back(carry_out(request));
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    wanted_.notify_one();
  }

  Done finish(Signals signals) override {
    std::unique_lock lock(mutex_);
    const auto one_ended = [&] { return !results_.empty(); };
    if (signals == Signals::Notice)
      (void)wait_for_change(ended_, lock, Clock::time_point::max(), one_ended);
    else
      ended_.wait(lock, one_ended);
    const Done done = results_.front();
    results_.pop_front();
    return done;
  }

  std::mutex mutex_;
  std::condition_variable wanted_, ended_;
  std::deque<Request> requests_;
  std::deque<Done> results_;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace

std::unique_ptr<AsyncIo> make_thread_io(size_t slots, size_t slot_bytes, std::string why) {
  return std::make_unique<ThreadIo>(slots, slot_bytes, std::move(why));
}

}  // namespace zx
