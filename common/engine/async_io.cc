// SPDX-License-Identifier: MIT
#include "common/engine/async_io.h"

#include <liburing.h>
#include <sys/uio.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {

void AsyncIo::read(size_t slot, int fd, uint64_t offset, size_t bytes) {
  start({Kind::Read, slot, fd, offset, bytes});
  ++in_flight_;
}

void AsyncIo::write(size_t slot, int fd, uint64_t offset, size_t bytes) {
  start({Kind::Write, slot, fd, offset, bytes});
  ++in_flight_;
}

AsyncIo::Done AsyncIo::wait() {
  const Done done = finish(Signals::Notice);
  --in_flight_;
  return done;
}

void AsyncIo::drain() noexcept {
  for (; in_flight_ > 0; --in_flight_) (void)finish(Signals::Ignore);
}

namespace {

class UringIo final : public AsyncIo {
 public:
  UringIo(size_t slots, size_t slot_bytes) : AsyncIo(slots, slot_bytes, "") {}
  ~UringIo() override {
    // Before the memory is freed: what is in flight would be written into whatever takes its place.
    drain();
    if (abandoned_) leak_memory();
    if (ready_) io_uring_queue_exit(&ring_);
  }

  // 0 or an errno.
  int set_up() {
    // Completions wait until they are asked for (Linux 6.1): otherwise each interrupts the recv(2)
    // or send(2) that runs meanwhile, which then is one more call and one more wake-up.
    constexpr unsigned kDeferred = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
    const auto entries = static_cast<unsigned>(slots());
    int n = io_uring_queue_init(entries, &ring_, kDeferred);
    if (n == -EINVAL) n = io_uring_queue_init(entries, &ring_, 0);
    if (n < 0) return -n;
    ready_ = true;
    // A seccomp filter may allow the set-up and forbid the rest: try the whole way once.
    io_uring_prep_nop(io_uring_get_sqe(&ring_));
    if (n = io_uring_submit(&ring_); n < 0) return -n;
    io_uring_cqe* done = nullptr;
    for (int times = 0; (n = io_uring_wait_cqe(&ring_, &done)) == -EINTR; ++times)
      if (times < kMostInterruptions)
        check_stop();
      else
        return EINTR;
    if (n < 0) return -n;
    io_uring_cqe_seen(&ring_, done);
    std::vector<iovec> buffers;
    for (size_t i = 0; i < slots(); ++i) buffers.push_back({slot(i).data(), slot(i).size()});
    // Refused where RLIMIT_MEMLOCK is small: the same requests then pin their pages each time.
    registered_ =
        io_uring_register_buffers(&ring_, buffers.data(), static_cast<unsigned>(slots())) == 0;
    return 0;
  }

 private:
  void start(const Request& r) override {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);  // never null: as many entries as slots
    void* memory = slot(r.slot).data();
    const auto bytes = static_cast<unsigned>(r.bytes);
    const auto index = static_cast<int>(r.slot);
    if (r.kind == Kind::Read && registered_)
      io_uring_prep_read_fixed(sqe, r.fd, memory, bytes, r.offset, index);
    else if (r.kind == Kind::Read)
      io_uring_prep_read(sqe, r.fd, memory, bytes, r.offset);
    else if (registered_)
      io_uring_prep_write_fixed(sqe, r.fd, memory, bytes, r.offset, index);
    else
      io_uring_prep_write(sqe, r.fd, memory, bytes, r.offset);
    sqe->user_data = r.slot;
    for (int times = 0;;) {
      const int n = abandoned_ ? -ECANCELED : io_uring_submit(&ring_);
      if (n > 0) return;
      if (!passes(n, &times)) throw_errno(ExitStatus::FileIo, "io_uring: submit", -n);
      check_stop();
    }
  }

  Done finish(Signals signals) override {
    io_uring_cqe* cqe = nullptr;
    int n = 0;
    for (int times = 0; !abandoned_ && (n = io_uring_wait_cqe(&ring_, &cqe)) < 0;) {
      const bool again = passes(n, &times);
      if (signals == Signals::Notice && !again)
        throw_errno(ExitStatus::FileIo, "io_uring: wait", -n);
      if (signals == Signals::Notice)
        check_stop();
      else if (!again)
        abandoned_ = true;
    }
    if (abandoned_) return {};
    const Done done{static_cast<size_t>(cqe->user_data), cqe->res};
    io_uring_cqe_seen(&ring_, cqe);
    return done;
  }

  // Whether a call that has failed so may succeed a moment later, which has passed then.
  static bool passes(int result, int* times) {
    if (result != -EINTR && result != -EAGAIN && result != -EBUSY && result != 0) return false;
    if (++*times > kMostInterruptions) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return true;
  }

  io_uring ring_{};
  bool ready_ = false, registered_ = false;
  // Nobody can tell when what is in flight ends: nothing is started any more.
  bool abandoned_ = false;
};

}  // namespace

std::unique_ptr<AsyncIo> make_async_io(size_t slots, size_t slot_bytes) {
  auto ring = std::make_unique<UringIo>(slots, slot_bytes);
  const int error = ring->set_up();
  if (error == 0) return ring;
  return make_thread_io(
      slots, slot_bytes,
      "with threads, because io_uring is not possible here: " + errno_text(error));
}

}  // namespace zx
