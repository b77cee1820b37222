// SPDX-License-Identifier: MIT
#include "common/engine/mmap_sender.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {
namespace {

// A range of a file, mapped for reading; unmapped when it goes.
class Mapping {
 public:
  Mapping(int fd, uint64_t offset, size_t bytes) {
    const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    skip_ = static_cast<size_t>(offset % page);
    mapped_ = bytes + skip_;
    // POPULATE: all page faults in one call.
    map_ = mmap(nullptr, mapped_, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, to_off(offset - skip_));
    error_ = map_ == MAP_FAILED ? errno : 0;
  }
  ~Mapping() {
    if (error_ == 0) (void)munmap(map_, mapped_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  int error() const { return error_; }
  // Not to be touched here, see the header.
  std::span<const std::byte> bytes() const {
    return std::span(static_cast<const std::byte*>(map_), mapped_).subspan(skip_);
  }

 private:
  void* map_ = nullptr;
  size_t skip_ = 0, mapped_ = 0;
  int error_ = 0;
};

}  // namespace

SentBlock MmapSender::send(const SourceFile& file, uint64_t offset, uint32_t length,
                           std::span<const std::byte> head, Hasher* file_digest,
                           const ProgressFn& progress) {
  channel_.send(head, More::Yes);
  uint32_t sent = 0;
  if (refused_.empty()) {
    const Mapping mapping(file.fd(), offset, length);
    if (mapping.error() != 0)
      refused_ = "mmap does not work on this source: " + errno_text(mapping.error());
    else if (channel_.send_fd() >= 0)
      sent = send_mapped(mapping.bytes(), progress);
    else
      sent = send_copies(mapping.bytes(), progress);
  }
  // The file ends in the mapping, or cannot be read there: pread(2) tells which, and the rest of
  // what was promised goes through the buffer. (What was sent may end in zeros past the end of the
  // file, up to the end of its last page: they are padding.)
  if (sent < length) return buffered_.send_rest(file, offset, length, sent, file_digest, progress);
  return reader_.read(file, offset, sent, file_digest, [](std::span<const std::byte>, uint32_t) {});
}

// Both return how much was sent before the mapping had no more.

uint32_t MmapSender::send_mapped(std::span<const std::byte> mapped, const ProgressFn& progress) {
  size_t sent = 0;
  while (sent < mapped.size()) {
    check_stop();
    const auto piece = mapped.subspan(sent, std::min(piece_.bytes(), mapped.size() - sent));
    const auto start = Clock::now();
    const ssize_t n = retry_eintr([&] {
      return ::send(channel_.send_fd(), piece.data(), piece.size(), MSG_NOSIGNAL | MSG_MORE);
    });
    if (n < 0 && errno == EFAULT) break;
    if (n < 0) {
      channel_.socket().send_failed(errno);
      continue;
    }
    // As for sendfile: a reset under kernel TLS shows once, as a short count.
    if (static_cast<size_t>(n) == piece.size())
      piece_.took(Clock::now() - start);
    else
      channel_.socket().require_connected();
    sent += static_cast<size_t>(n);
    progress(static_cast<uint64_t>(n));
  }
  return static_cast<uint32_t>(sent);
}

uint32_t MmapSender::send_copies(std::span<const std::byte> mapped, const ProgressFn& progress) {
  if (!copy_) copy_ = std::make_unique<PageBuffer>(kReadBufferBytes);
  size_t sent = 0;
  while (sent < mapped.size()) {
    check_stop();
    const size_t want = std::min(copy_->size(), mapped.size() - sent);
    const iovec to{copy_->span().data(), want};
    const iovec from{const_cast<std::byte*>(mapped.data()) + sent, want};
    const ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);
    if (n < 0 && errno != EFAULT)
      refused_ = "the TLS record layer is in user space, and copying from a mapping is refused: " +
                 errno_text(errno);
    if (n <= 0) break;
    channel_.send(copy_->first(static_cast<size_t>(n)), More::Yes);
    sent += static_cast<size_t>(n);
    progress(static_cast<uint64_t>(n));
  }
  return static_cast<uint32_t>(sent);
}

}  // namespace zx
