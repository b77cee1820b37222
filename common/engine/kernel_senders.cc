// SPDX-License-Identifier: MIT
// The senders whose bytes do not come through this program, and the choice among all.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/io.h"
#include "common/engine/direct_sender.h"
#include "common/engine/splice_pipe.h"

namespace zx {
namespace {

// Hands the socket as much in one call as moves in about a quarter of a second, so that progress,
// cancelling and messages stay prompt on a slow link and calls stay few on a fast one.
class Pieces {
 public:
  // Sends `length` bytes by call(done, bytes). ended(errno): whether a failure means that the
  // source gives no more; if not, it is the socket's. Returns how much was sent.
  template <typename Call, typename Ended>
  uint32_t send(Channel& channel, uint32_t length, const ProgressFn& progress, Call call,
                Ended ended) {
    uint32_t sent = 0;
    while (sent < length) {
      check_stop();
      const size_t want = std::min<size_t>(bytes_, length - sent);
      const auto start = Clock::now();
      const ssize_t n = retry_eintr([&] { return call(sent, want); });
      if (n == 0 || (n < 0 && ended(errno))) break;
      if (n < 0) {
        channel.socket().send_failed(errno);
        continue;
      }
      channel.socket().sent(static_cast<size_t>(n), want);
      if (static_cast<size_t>(n) == want) took(Clock::now() - start);
      sent += static_cast<uint32_t>(n);
      progress(static_cast<uint64_t>(n));
    }
    return sent;
  }

 private:
  void took(Clock::duration time) {
    constexpr auto kLong = std::chrono::milliseconds(250);
    if (time > kLong)
      bytes_ = std::max(bytes_ / 2, kSmallest);
    else if (time < kLong / 4)
      bytes_ = std::min(bytes_ * 2, kLargest);
  }

  static constexpr size_t kSmallest = 256 << 10, kLargest = 16 << 20;
  size_t bytes_ = 1 << 20;
};

class SendfileSender final : public BlockSender {
 public:
  using BlockSender::BlockSender;

 private:
  uint32_t send_unread(const SourceFile& file, uint64_t offset, uint32_t length,
                       const ProgressFn& progress, int* error) override {
    if (fell_back()) return 0;
    const auto call = [&](uint32_t done, size_t bytes) {
      off_t at = to_off(offset + done);
      return sendfile(channel_.send_fd(), file.fd(), &at, bytes);
    };
    const auto ended = [&](int failure) {
      // Nothing was lost, sendfile counts exactly what it has sent.
      if (is_unsupported(failure)) {
        fall_back("sendfile does not work on this source", failure);
        return true;
      }
      // These come from reading the file, everything else from the socket.
      const bool reading =
          failure == EIO || failure == ENOMEM || failure == ESTALE || failure == EUCLEAN;
      if (reading) *error = failure;
      return reading;
    };
    return pieces_.send(channel_, length, progress, call, ended);
  }

  Pieces pieces_;
};

// By splice(2): file -> private pipe -> socket. Like sendfile(2), which has such a pipe of 64 KiB
// inside; this one is larger, and the count in the pipe is exact.
class SpliceSender final : public BlockSender {
 public:
  SpliceSender(Channel& channel, const Choice& choice, SplicePipe pipe)
      : BlockSender(channel, choice), pipe_(std::move(pipe)) {}

 private:
  uint32_t send_unread(const SourceFile& file, uint64_t offset, uint32_t length,
                       const ProgressFn& progress, int* error) override {
    uint32_t sent = 0;
    while (sent < length && !fell_back()) {
      check_stop();
      const size_t want = std::min<size_t>(pipe_.bytes, length - sent);
      off_t at = to_off(offset + sent);
      // The pipe is empty: this call never waits for room in it.
      const ssize_t n = retry_eintr([&] {
        return splice(file.fd(), &at, pipe_.write_end.get(), nullptr, want, SPLICE_F_MOVE);
      });
      if (n == 0) break;  // the file ends here now
      if (n < 0 && is_unsupported(errno)) {
        fall_back("splice does not work on this source", errno);
        break;
      }
      if (n < 0) {
        *error = errno;  // the other end of this call is our own pipe
        break;
      }
      empty_pipe(static_cast<size_t>(n), progress);
      sent += static_cast<uint32_t>(n);
    }
    return sent;
  }

  void empty_pipe(size_t bytes, const ProgressFn& progress) {
    while (bytes > 0) {
      // MORE is true here: a DIGEST follows every block.
      const ssize_t n = retry_eintr([&] {
        return splice(pipe_.read_end.get(), nullptr, channel_.send_fd(), nullptr, bytes,
                      SPLICE_F_MOVE | SPLICE_F_MORE);
      });
      if (n <= 0) {
        channel_.socket().send_failed(n == 0 ? EIO : errno);
        continue;
      }
      channel_.socket().sent(static_cast<size_t>(n), bytes);
      bytes -= static_cast<size_t>(n);
      progress(static_cast<uint64_t>(n));
    }
  }

  SplicePipe pipe_;
};

// From a mapping of the file, a block at a time.
//
// A mapped page that the file no longer has (somebody cut it) kills a program that touches it
// (SIGBUS). So nothing here touches the mapping in user space: the kernel does, in send(2) or, for
// a channel whose record layer is in user space, in process_vm_readv(2) into a buffer, and says
// EFAULT. What was sent may then end in zeros past the end of the file, up to the end of its last
// page: they are padding.
class MmapSender final : public BlockSender {
 public:
  using BlockSender::BlockSender;

 private:
  uint32_t send_unread(const SourceFile& file, uint64_t offset, uint32_t length,
                       const ProgressFn& progress, int* /*error*/) override {
    if (fell_back()) return 0;
    const auto skip = static_cast<size_t>(offset % static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
    // POPULATE: all page faults in one call.
    void* const map = mmap(nullptr, skip + length, PROT_READ, MAP_SHARED | MAP_POPULATE, file.fd(),
                           to_off(offset - skip));
    if (map == MAP_FAILED) {
      fall_back("mmap does not work on this source", errno);
      return 0;
    }
    const Defer unmap([&] { (void)munmap(map, skip + length); });
    const auto mapped = std::span(static_cast<const std::byte*>(map) + skip, length);
    if (channel_.send_fd() < 0) return send_copies(mapped, progress);
    return pieces_.send(
        channel_, length, progress,
        [&](uint32_t done, size_t bytes) {
          return ::send(channel_.send_fd(), mapped.data() + done, bytes, MSG_NOSIGNAL | MSG_MORE);
        },
        [](int failure) { return failure == EFAULT; });
  }

  uint32_t send_copies(std::span<const std::byte> mapped, const ProgressFn& progress) {
    size_t sent = 0;
    while (sent < mapped.size()) {
      check_stop();
      const size_t want = std::min(buffer_.size(), mapped.size() - sent);
      const iovec to{buffer_.span().data(), want};
      const iovec from{const_cast<std::byte*>(mapped.data()) + sent, want};
      const ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
      if (n < 0 && errno != EFAULT)
        fall_back("the TLS record layer is in user space, and copying from a mapping is refused",
                  errno);
      if (n <= 0) break;
      channel_.send(buffer_.first(static_cast<size_t>(n)), More::Yes);
      sent += static_cast<size_t>(n);
      progress(static_cast<uint64_t>(n));
    }
    return static_cast<uint32_t>(sent);
  }

  Pieces pieces_;
};

}  // namespace

std::unique_ptr<BlockSender> make_block_sender(Channel& channel, const Choice& choice,
                                               size_t buffer_bytes) {
  switch (choice.engine) {
    case Engine::Sendfile:
      return std::make_unique<SendfileSender>(channel, choice);
    case Engine::Splice:
      if (SplicePipe pipe = make_splice_pipe(); pipe.bytes > 0)
        return std::make_unique<SpliceSender>(channel, choice, std::move(pipe));
      break;  // the last descriptor went to somebody else meanwhile
    case Engine::Mmap:
      return std::make_unique<MmapSender>(channel, choice);
    case Engine::Direct:
      return std::make_unique<DirectSender>(channel, choice.why,
                                            make_async_io(kDirectSlots, kDirectSlotBytes));
    case Engine::ReadWrite:
      break;
  }
  return std::make_unique<BlockSender>(channel,
                                       Choice{Engine::ReadWrite, choice.why, choice.uncached},
                                       buffer_bytes == 0 ? kReadBufferBytes : buffer_bytes);
}

}  // namespace zx
