// SPDX-License-Identifier: MIT
#include "zrecv/disk_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/page_buffer.h"
#include "common/base/stop.h"
#include "common/file/direct_file.h"
#include "common/file/residency.h"

namespace zx {
namespace {

constexpr size_t kBufferBytes = 1 << 20;

// A descriptor whose reads come from the disk. Nothing, and why, where there is no such thing.
std::optional<UniqueFd> past_the_cache(int fd, uint64_t size, std::string* why) {
  if (lives_in_memory(fd)) {
    *why = "the file system is in memory";
    return std::nullopt;
  }
  DirectFile direct = open_direct(fd, DirectAccess::Read);
  if (direct.fd.valid()) return std::move(direct.fd);
  (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  if (resident_bytes(fd, size) == 0) return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  *why = "no direct reading (" + errno_text(direct.error) + "), and its pages stay in memory";
  return std::nullopt;
}

class Reader {
 public:
  Reader(UniqueFd fd, const std::string& what) : fd_(std::move(fd)), what_(what) {}

  // Some of what is at `offset`, up to `end`; the file is longer than that.
  std::span<const std::byte> at(uint64_t offset, uint64_t end) {
    if (offset < begin_ || offset >= begin_ + held_) fill(offset);
    const uint64_t length = std::min(end, begin_ + held_) - offset;
    return buffer_.span().subspan(offset - begin_, length);
  }
  // Where something else than a hole begins, not before `offset`; `end` when nothing does.
  uint64_t next_data(uint64_t offset, uint64_t end) const {
    const off_t found = lseek(fd_.get(), to_off(offset), SEEK_DATA);
    if (found < 0) return errno == ENXIO ? end : offset;
    return std::min(end, static_cast<uint64_t>(found));
  }

 private:
  void fill(uint64_t offset) {
    check_stop();
    begin_ = offset / kBufferBytes * kBufferBytes;
    held_ = 0;
    ssize_t n = 1;
    // What ends within a page is the end of the file: from there on nothing is aligned.
    while (n > 0 && held_ < kBufferBytes && held_ % PageBuffer::kPageBytes == 0) {
      const auto rest = buffer_.span().subspan(held_);
      n = retry_eintr(
          [&] { return pread(fd_.get(), rest.data(), rest.size(), to_off(begin_ + held_)); });
      if (n < 0) throw_file_errno(what_ + ": read it from the disk", errno);
      held_ += static_cast<size_t>(n);
    }
    if (begin_ + held_ <= offset) throw_file_errno(what_ + ": read it from the disk", EIO);
  }

  const UniqueFd fd_;
  const std::string& what_;
  PageBuffer buffer_{kBufferBytes};
  uint64_t begin_ = 0;
  size_t held_ = 0;
};

bool is_zero(std::span<const std::byte> bytes) {
  return std::ranges::all_of(bytes, [](std::byte byte) { return byte == std::byte{0}; });
}

bool is_hole(Reader& reader, uint64_t begin, uint64_t end) {
  while ((begin = reader.next_data(begin, end)) < end) {
    const auto piece = reader.at(begin, end);
    if (!is_zero(piece)) return false;
    begin += piece.size();
  }
  return true;
}

Digest digest_of_block(Reader& reader, uint64_t begin, uint64_t end) {
  Hasher hasher;
  while (begin < end) {
    const auto piece = reader.at(begin, end);
    hasher.update(piece);
    begin += piece.size();
  }
  return hasher.value();
}

}  // namespace

void check_on_disk(int fd, const std::string& what, std::vector<WrittenBlock> blocks, uint64_t size,
                   const Digest& sum, Caveats& caveats) {
  std::string why;
  auto direct = past_the_cache(fd, size, &why);
  if (!direct) {
    caveats.try_emplace(Caveat::Disk, why);
    return;
  }
  std::ranges::sort(blocks, {}, &WrittenBlock::offset);
  Reader reader(std::move(*direct), what);
  DigestSum found;
  uint64_t at = 0;
  bool good = true;
  for (const WrittenBlock& block : blocks) {
    const uint64_t end = block.offset + block.length;
    good = good && is_hole(reader, at, block.offset);
    if (!good) break;
    found.add(block_part(block.offset, block.length, digest_of_block(reader, block.offset, end)));
    at = end;
  }
  if (!good || !is_hole(reader, at, size) || found.value() != sum)
    throw Error(ExitStatus::Integrity,
                what + ": the disk holds something else than was written into the page cache");
}

}  // namespace zx
