// SPDX-License-Identifier: MIT
#include "common/engine/block_receiver.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/engine/direct_receiver.h"
#include "common/engine/gathering.h"

namespace zx {
namespace {

// What one write takes when it also starts its write-back (RWF_DONTCACHE): small ones would be
// small requests to the disk.
constexpr size_t kUncachedBufferBytes = 1 << 20;

// A pipe counts pages, not bytes. A record of 16 KiB begins anywhere in a page: 5 of them, one more
// to be sure.
constexpr size_t kPipeSlotBytes = 4096, kSlotsPerRecord = 6;

class SpliceReceiver final : public BlockReceiver {
 public:
  SpliceReceiver(Channel& channel, const Choice& choice, SplicePipe pipe)
      : BlockReceiver(channel, choice), pipe_(std::move(pipe)) {}

  int receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) override {
    if (fell_back()) return BlockReceiver::receive(file, offset, length, fresh);
    const int64_t held = receive_held(file, offset, length, fresh);
    if (held < 0) return static_cast<int>(-held);
    auto done = static_cast<uint32_t>(held);
    const Gathering::Block block(gathering_, length - done);
    while (done < length) {
      gathering_.wait(length - done);
      const uint32_t got = fill_pipe(length - done);
      gathering_.took(got, std::min<size_t>(pipe_.bytes, length - done));
      if (const int error = drain_pipe(file, offset + done, got); error != 0) {
        discard(channel_, length - done - got);
        return error;
      }
      fresh(got, {});
      done += got;
    }
    return 0;
  }

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
      if (fell_back()) return copy_pipe(file, static_cast<uint64_t>(at), bytes);
      const ssize_t n = retry_eintr(
          [&] { return splice(pipe_.read_end.get(), nullptr, file, &at, bytes, SPLICE_F_MOVE); });
      if (n > 0) {
        bytes -= static_cast<size_t>(n);
        continue;
      }
      const int error = n == 0 ? EIO : errno;
      if (is_unsupported(error)) {
        fall_back("splice does not work on this destination", error);
        continue;
      }
      (void)copy_pipe(-1, 0, bytes);
      return error;
    }
    return 0;
  }

  // Moves what is in the pipe through a buffer; file -1 drops it.
  int copy_pipe(int file, uint64_t offset, size_t bytes) {
    int first_error = 0;
    while (bytes > 0) {
      const auto room = buffer_.first(std::min(bytes, buffer_.size()));
      const ssize_t n =
          retry_eintr([&] { return read(pipe_.read_end.get(), room.data(), room.size()); });
      if (n <= 0) return n == 0 ? EIO : errno;
      const auto piece = room.first(static_cast<size_t>(n));
      if (file >= 0 && first_error == 0) first_error = -pwrite_full(file, piece, offset);
      offset += piece.size();
      bytes -= piece.size();
    }
    return first_error;
  }

  SplicePipe pipe_;
  Gathering gathering_{channel_};
};

}  // namespace

int64_t BlockReceiver::receive_held(int file, uint64_t offset, uint32_t length,
                                    const FreshFn& fresh) {
  const auto piece = channel_.take_held(length);
  if (piece.empty()) return 0;
  if (const int error = pwrite_full(file, piece, offset); error != 0) {
    discard(channel_, length - piece.size());
    return error;
  }
  fresh(piece.size(), {});
  return static_cast<int64_t>(piece.size());
}

int BlockReceiver::receive(int file, uint64_t offset, uint32_t length, const FreshFn& fresh) {
  uint32_t done = 0;
  while (done < length) {
    const auto piece = buffer_.first(std::min<size_t>(buffer_.size(), length - done));
    // The whole piece, although TLS hands out 16 KiB at a time: fewer and larger writes.
    channel_.recv_exact(piece);
    const int error = -pwrite_full(file, piece, offset + done, uncached());
    done += static_cast<uint32_t>(piece.size());
    if (error != 0) {
      discard(channel_, length - done);
      return error;
    }
    fresh(piece.size(), {});
  }
  return 0;
}

std::unique_ptr<BlockReceiver> make_block_receiver(Channel& channel, const Choice& choice,
                                                   SplicePipe pipe, size_t buffer_bytes) {
  if (choice.engine == Engine::Splice)
    return std::make_unique<SpliceReceiver>(channel, choice, std::move(pipe));
  if (choice.engine == Engine::Direct)
    return std::make_unique<DirectReceiver>(channel, choice.why,
                                            make_async_io(kDirectSlots, kDirectSlotBytes));
  if (buffer_bytes == 0) buffer_bytes = choice.uncached ? kUncachedBufferBytes : kWriteBufferBytes;
  return std::make_unique<BlockReceiver>(channel, choice, buffer_bytes);
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
