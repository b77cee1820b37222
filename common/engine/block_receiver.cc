// SPDX-License-Identifier: MIT
#include "common/engine/block_receiver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/page_buffer.h"

namespace zx {
namespace {

// What one write takes. Larger is worse: for a large write ext4 makes large folios, out of memory
// that has long been free, and on a virtual machine that gives free memory back to its host each is
// a fault there. Measured on kernel 6.18, TLS, 2 GiB, five interleaved rounds: 256 KiB 6.9 CPU-s
// for both ends, 32 KiB 4.6.
constexpr size_t kBufferBytes = 32 << 10;
// A pipe counts pages, not bytes. A record of 16 KiB begins anywhere in a page: 5 of them, one more
// to be sure.
constexpr size_t kPipeSlotBytes = 4096, kSlotsPerRecord = 6;
// The largest pipe an unprivileged process may have (fs.pipe-max-size).
constexpr int kPipeBytes = 1 << 20;

class ReadWriteReceiver final : public BlockReceiver {
 public:
  ReadWriteReceiver(Channel& channel, std::string why)
      : channel_(channel), why_(std::move(why)), buffer_(kBufferBytes) {}

  int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) override {
    uint32_t done = 0;
    while (done < length) {
      const auto piece = buffer_.first(std::min<size_t>(buffer_.size(), length - done));
      // The whole piece, although TLS hands out 16 KiB at a time: fewer and larger writes.
      channel_.recv_exact(piece);
      const int error = -pwrite_full(file, piece, offset + done);
      done += static_cast<uint32_t>(piece.size());
      if (error != 0) {
        discard(channel_, length - done);
        return error;
      }
      fresh(piece.size());
    }
    return 0;
  }

  Engine engine() const override { return Engine::ReadWrite; }
  std::string why() const override { return why_; }

 private:
  Channel& channel_;
  std::string why_;
  PageBuffer buffer_;
};

class SpliceReceiver final : public BlockReceiver {
 public:
  SpliceReceiver(Channel& channel, std::string why, SplicePipe pipe)
      : channel_(channel), why_(std::move(why)), pipe_(std::move(pipe)) {}

  int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) override {
    if (buffered_) return buffered_->receive(file, offset, length, fresh);
    uint32_t done = 0;
    while (done < length) {
      const uint32_t got = fill_pipe(length - done);
      if (const int error = drain_pipe(file, offset + done, got); error != 0) {
        discard(channel_, length - done - got);
        return error;
      }
      fresh(got);
      done += got;
    }
    return 0;
  }

  Engine engine() const override { return buffered_ ? Engine::ReadWrite : Engine::Splice; }
  std::string why() const override { return buffered_ ? buffered_->why() : why_; }

 private:
  // Socket -> empty pipe: at least one byte, at most `limit`.
  uint32_t fill_pipe(uint32_t limit) {
    // Kernel TLS gives one record a call; several fit. A record may take kSlotsPerRecord slots of
    // the pipe, and before mid-2026 the kernel drops, without a word, what no slot is free for
    // ("net: tls: fix silent data drop under pipe back-pressure").
    const size_t record = channel_.recv_fd_record_bytes();
    const size_t calls = record == 0 ? 1 : pipe_.bytes / kPipeSlotBytes / kSlotsPerRecord;
    size_t got = 0;
    for (size_t i = 0; i < calls && got < limit; ++i) {
      const size_t want = std::min<size_t>(record == 0 ? pipe_.bytes : record, limit - got);
      const ssize_t n = retry_eintr([&] {
        return splice(channel_.recv_fd(), nullptr, pipe_.write_end.get(), nullptr, want,
                      SPLICE_F_MOVE | SPLICE_F_MORE);
      });
      if (n == 0) channel_.ended_early();
      if (n < 0)
        channel_.recv_fd_failed(errno);
      else
        got += static_cast<size_t>(n);
    }
    return static_cast<uint32_t>(got);
  }

  // Empties the pipe into the file. On an error the pipe is emptied all the same.
  int drain_pipe(int file, uint64_t offset, size_t bytes) {
    off_t at = to_off(offset);
    while (bytes > 0) {
      if (buffered_) return copy_pipe(file, static_cast<uint64_t>(at), bytes);
      const ssize_t n = retry_eintr(
          [&] { return splice(pipe_.read_end.get(), nullptr, file, &at, bytes, SPLICE_F_MOVE); });
      if (n > 0) {
        bytes -= static_cast<size_t>(n);
        continue;
      }
      const int error = n == 0 ? EIO : errno;
      if (error == EINVAL || error == ENOSYS || error == EOPNOTSUPP) {
        buffered_ = std::make_unique<ReadWriteReceiver>(
            channel_, "splice does not work on this destination: " + errno_text(error));
        continue;
      }
      (void)copy_pipe(-1, 0, bytes);
      return error;
    }
    return 0;
  }

  // Moves what is in the pipe through a buffer; file -1 drops it.
  int copy_pipe(int file, uint64_t offset, size_t bytes) {
    std::vector<std::byte> buffer(std::min(bytes, kBufferBytes));
    int first_error = 0;
    while (bytes > 0) {
      const ssize_t n = retry_eintr([&] {
        return read(pipe_.read_end.get(), buffer.data(), std::min(bytes, buffer.size()));
      });
      if (n <= 0) return n == 0 ? EIO : errno;
      const auto piece = std::span<const std::byte>(buffer).first(static_cast<size_t>(n));
      if (file >= 0 && first_error == 0) first_error = -pwrite_full(file, piece, offset);
      offset += piece.size();
      bytes -= piece.size();
    }
    return first_error;
  }

  Channel& channel_;
  std::string why_;
  SplicePipe pipe_;
  std::unique_ptr<ReadWriteReceiver> buffered_;
};

}  // namespace

SplicePipe make_splice_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  SplicePipe out{UniqueFd(ends[0]), UniqueFd(ends[1]), 0};
  // May be refused (fs.pipe-user-pages-soft); the default size then stays, or 8 KiB: read it back.
  (void)fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  const int bytes = fcntl(ends[1], F_GETPIPE_SZ);
  out.bytes = bytes > 0 ? static_cast<size_t>(bytes) : 0;
  return out;
}

std::unique_ptr<BlockReceiver> make_block_receiver(Channel& channel, const Choice& choice,
                                                   SplicePipe pipe) {
  if (choice.engine == Engine::Splice)
    return std::make_unique<SpliceReceiver>(channel, choice.why, std::move(pipe));
  return std::make_unique<ReadWriteReceiver>(channel, choice.why);
}

std::unique_ptr<BlockReceiver> make_buffered_receiver(Channel& channel) {
  return std::make_unique<ReadWriteReceiver>(channel, "sent again");
}

void discard(Channel& channel, uint64_t bytes) {
  std::vector<std::byte> scrap(static_cast<size_t>(std::min<uint64_t>(bytes, 64 << 10)));
  while (bytes > 0) {
    const auto piece =
        std::span(scrap).first(static_cast<size_t>(std::min<uint64_t>(bytes, scrap.size())));
    channel.recv_exact(piece);
    bytes -= piece.size();
  }
}

}  // namespace zx
