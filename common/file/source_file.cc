// SPDX-License-Identifier: MIT
#include "common/file/source_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <ctime>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/file/space.h"

namespace zx {
namespace {

constexpr uint64_t kMinHoleBytes = 64 << 10;
// A file that gives less than it says is one of /sys, which says a page: 64 KiB on some machines.
constexpr size_t kMostSaidBytes = 64 << 10;

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

std::atomic<uint64_t> last_serial{0};

}  // namespace

LeasedFile::LeasedFile(const std::string& path)
    : Error(ExitStatus::FileIo, quote(path) + ": open: another process has a lease on it") {}

SourceFile::SourceFile(UniqueFd fd, std::string name)
    : path_(std::move(name)), fd_(std::move(fd)), serial_(++last_serial) {
  if (fstat(fd_.get(), &stat_) != 0)
    throw_errno(ExitStatus::FileIo, quote(path_) + ": stat", errno);
  if (!S_ISREG(stat_.st_mode))
    throw Error(ExitStatus::FileIo, quote(path_) + ": not a regular file");
  find_real_size();
}

SourceFile::SourceFile(int dir, const std::string& path, const std::string& shown, int flags)
    : path_(shown), serial_(++last_serial) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitStatus::FileIo, quote(shown) + ": " + why);
  };
  // O_NONBLOCK: a FIFO without a writer must not hang us before fstat can refuse it.
  fd_ = UniqueFd(openat(dir, path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags));
  if (!fd_.valid() && errno == EAGAIN) throw LeasedFile(shown);
  if (!fd_.valid() && errno == ELOOP && flags == O_NOFOLLOW)
    refuse("is a symbolic link, and none is followed here");
  if (!fd_.valid()) throw_errno(ExitStatus::FileIo, quote(shown) + ": open", errno);
  if (fstat(fd_.get(), &stat_) != 0)
    throw_errno(ExitStatus::FileIo, quote(shown) + ": stat", errno);
  if (S_ISDIR(stat_.st_mode))
    refuse("is a directory, not a file (-r sends it with all that is below it)");
  if (!S_ISREG(stat_.st_mode) && !is_device()) refuse("neither a regular file nor a block device");
  if (is_device()) {
    const auto bytes = block_device_bytes(fd_.get());
    if (!bytes) throw_file_errno(quote(shown) + ": size of the block device", errno);
    stat_.st_size = to_off(*bytes);
    (void)clock_gettime(CLOCK_REALTIME, &stat_.st_mtim);
  }
  find_real_size();
  (void)fcntl(fd_.get(), F_SETFL, 0);  // drops O_NONBLOCK; regular files ignore it anyway
  (void)posix_fadvise(fd_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
}

// Files that are made when they are read have no blocks.
void SourceFile::find_real_size() {
  said_bytes_ = stat_.st_size;
  if (!S_ISREG(stat_.st_mode) || stat_.st_blocks != 0 || size() > kMostSaidBytes) return;
  // Those of /proc have content but no size: sent by their size they would arrive empty.
  std::byte first{};
  if (size() == 0 && pread_full(fd_.get(), {&first, 1}, 0) > 0)
    throw Error(ExitStatus::FileIo,
                quote(path_) + ": has content but says it is empty (as files of /proc do)");
  std::array<std::byte, kMostSaidBytes> bytes{};
  const ssize_t n = pread_full(fd_.get(), std::span(bytes).first(size()), 0);
  if (n >= 0) stat_.st_size = n;  // an error comes again when it is sent
}

bool SourceFile::sparse() const {
  if (is_device()) return false;
  constexpr uint64_t kStatBlockBytes = 512;  // stat(2), whatever the file system's block is
  return static_cast<uint64_t>(stat_.st_blocks) * kStatBlockBytes + kMinHoleBytes <= size();
}

Extent SourceFile::extent_at(uint64_t offset, uint64_t end) const {
  const Extent all_data{offset, end - offset, false};
  if (!sparse()) return all_data;
  const auto seek = [&](uint64_t from, int whence) -> int64_t {
    return lseek(fd_.get(), to_off(from), whence);
  };
  const int64_t data = seek(offset, SEEK_DATA);
  if (data < 0) {
    // ENXIO: no data after offset. Anything else: this file system cannot tell.
    if (errno != ENXIO) return all_data;
    return {offset, end - offset, true};
  }
  const uint64_t data_at = std::min(static_cast<uint64_t>(data), end);
  if (data_at - offset >= kMinHoleBytes) return {offset, data_at - offset, true};
  // Data: up to the next hole that is worth it.
  uint64_t from = data_at;
  while (from < end) {
    const int64_t hole = seek(from, SEEK_HOLE);
    if (hole < 0 || static_cast<uint64_t>(hole) >= end) return all_data;
    const int64_t next = seek(static_cast<uint64_t>(hole), SEEK_DATA);
    const uint64_t next_at = next < 0 ? end : std::min(static_cast<uint64_t>(next), end);
    if (next_at - static_cast<uint64_t>(hole) >= kMinHoleBytes)
      return {offset, static_cast<uint64_t>(hole) - offset, false};
    from = next_at;
  }
  return all_data;
}

Change SourceFile::change() const {
  struct stat now {};
  if (fstat(fd_.get(), &now) != 0) return Change::Content;
  if (is_device()) return block_device_bytes(fd_.get()) == size() ? Change::None : Change::Content;
  if (now.st_size != said_bytes_ || !same_time(now.st_mtim, stat_.st_mtim)) return Change::Content;
  return same_time(now.st_ctim, stat_.st_ctim) ? Change::None : Change::Inode;
}

}  // namespace zx
