// SPDX-License-Identifier: MIT
#include "common/engine/splice_sender.h"

#include <fcntl.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {

SentBlock SpliceSender::send(const SourceFile& file, uint64_t offset, uint32_t length,
                             std::span<const std::byte> head, Hasher* file_digest,
                             const ProgressFn& progress) {
  if (buffered_) return buffered_->send(file, offset, length, head, file_digest, progress);
  channel_.send(head, More::Yes);
  uint32_t sent = 0;
  int read_error = 0;
  while (sent < length) {
    check_stop();
    const size_t want = std::min<size_t>(pipe_.bytes, length - sent);
    off_t at = to_off(offset + sent);
    // The pipe is empty: this call never waits for room in it.
    const ssize_t n = retry_eintr([&] {
      return splice(file.fd(), &at, pipe_.write_end.get(), nullptr, want, SPLICE_F_MOVE);
    });
    if (n == 0) break;  // the file ends here now
    if (n < 0 && (errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP)) {
      buffered_ = std::make_unique<ReadWriteSender>(
          channel_, "splice does not work on this source: " + errno_text(errno));
      return buffered_->send_rest(file, offset, length, sent, file_digest, progress);
    }
    if (n < 0) {
      read_error = errno;  // the other end of this call is our own pipe
      break;
    }
    empty_pipe(static_cast<size_t>(n), progress);
    sent += static_cast<uint32_t>(n);
  }
  pad(channel_, length - sent);
  // As with sendfile: hashed while the peer is busy with the bytes. A file that is changed in
  // between fails the comparison and is asked for again.
  SentBlock out =
      reader_.read(file, offset, sent, file_digest, [](std::span<const std::byte>, uint32_t) {});
  if (out.read_error == 0) out.read_error = read_error;
  return out;
}

void SpliceSender::empty_pipe(size_t bytes, const ProgressFn& progress) {
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
    // Kernel TLS says a reset once, as a short count, and then takes everything.
    if (static_cast<size_t>(n) < bytes) channel_.socket().require_connected();
    bytes -= static_cast<size_t>(n);
    progress(static_cast<uint64_t>(n));
  }
}

}  // namespace zx
