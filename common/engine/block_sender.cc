// SPDX-License-Identifier: MIT
#include "common/engine/block_sender.h"

#include <sys/sendfile.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/engine/direct_sender.h"
#include "common/engine/mmap_sender.h"
#include "common/engine/readwrite_sender.h"
#include "common/engine/splice_sender.h"

namespace zx {
namespace {

class SendfileSender final : public BlockSender {
 public:
  SendfileSender(Channel& channel, std::string why) : channel_(channel), why_(std::move(why)) {}

  SentBlock send(const SourceFile& file, uint64_t offset, uint32_t length,
                 std::span<const std::byte> head, Hasher* file_digest,
                 const ProgressFn& progress) override {
    if (buffered_) return buffered_->send(file, offset, length, head, file_digest, progress);
    channel_.send(head, More::Yes);
    uint32_t sent = 0;
    int read_error = 0;
    while (sent < length) {
      check_stop();
      const size_t want = std::min<size_t>(piece_.bytes(), length - sent);
      off_t at = to_off(offset + sent);
      const auto start = Clock::now();
      const ssize_t n =
          retry_eintr([&] { return sendfile(channel_.send_fd(), file.fd(), &at, want); });
      if (n == 0) break;  // the file ends here now
      if (n < 0) {
        // Not for this file system: from here on through a buffer. Nothing was lost, sendfile
        // counts exactly what it has sent.
        if (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) {
          buffered_ = std::make_unique<ReadWriteSender>(
              channel_, "sendfile does not work on this source: " + errno_text(errno));
          return buffered_->send_rest(file, offset, length, sent, file_digest, progress);
        }
        // EIO and the like come from reading the file, everything else from the socket.
        if (errno != EIO && errno != ENOMEM && errno != ESTALE && errno != EUCLEAN) {
          channel_.socket().send_failed(errno);
          continue;
        }
        read_error = errno;
        break;
      }
      if (static_cast<size_t>(n) == want)
        piece_.took(Clock::now() - start);
      else
        channel_.socket().require_connected();
      sent += static_cast<uint32_t>(n);
      progress(static_cast<uint64_t>(n));
    }
    pad(channel_, length - sent);
    // The bytes are on their way to the peer, which is busy with them, while they are hashed here.
    // A file that is changed in between fails the comparison and is asked for again.
    SentBlock out =
        reader_.read(file, offset, sent, file_digest, [](std::span<const std::byte>, uint32_t) {});
    if (out.read_error == 0) out.read_error = read_error;
    return out;
  }

  Engine engine() const override { return buffered_ ? Engine::ReadWrite : Engine::Sendfile; }
  std::string why() const override { return buffered_ ? buffered_->why() : why_; }

 private:
  Channel& channel_;
  std::string why_;
  PieceSize piece_;
  BlockReader reader_;
  std::unique_ptr<ReadWriteSender> buffered_;
};

}  // namespace

std::unique_ptr<BlockSender> make_block_sender(Channel& channel, const Choice& choice,
                                               size_t buffer_bytes) {
  switch (choice.engine) {
    case Engine::Sendfile:
      return std::make_unique<SendfileSender>(channel, choice.why);
    case Engine::Splice:
      if (SplicePipe pipe = make_splice_pipe(); pipe.bytes > 0)
        return std::make_unique<SpliceSender>(channel, choice.why, std::move(pipe));
      break;  // the last descriptor went to somebody else meanwhile
    case Engine::Mmap:
      return std::make_unique<MmapSender>(channel, choice.why);
    case Engine::Direct:
      return std::make_unique<DirectSender>(channel, choice.why,
                                            make_async_io(kDirectSlots, kDirectSlotBytes));
    case Engine::ReadWrite:
      break;
  }
  return std::make_unique<ReadWriteSender>(
      channel, choice.why, buffer_bytes == 0 ? kReadBufferBytes : buffer_bytes, choice.uncached);
}

PrivateBlock read_private_block(const SourceFile& file, uint64_t offset, uint32_t length) {
  PrivateBlock out;
  out.bytes.resize(length);
  const ssize_t n = pread_full(file.fd(), out.bytes, offset);
  if (n < 0) out.block.read_error = static_cast<int>(-n);
  out.block.length = static_cast<uint32_t>(std::max<ssize_t>(n, 0));
  out.block.digest = digest_of(std::span(out.bytes).first(out.block.length));
  return out;  // the tail of a shorter read is zeros: the padding
}

}  // namespace zx
