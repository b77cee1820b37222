// SPDX-License-Identifier: MIT
#include "common/file/spool.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {

Spool Spool::in_memory() {
  UniqueFd fd(memfd_create("zsend-spool", MFD_CLOEXEC));
  if (!fd.valid()) throw_file_errno("a file in memory: memfd_create", errno);
  return Spool(std::move(fd));
}

Spool Spool::on_disk(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd.valid()) throw_file_errno(quote(directory) + ": make a file without a name", errno);
  return Spool(std::move(fd));
}

ssize_t Spool::append_from(int source, size_t max_bytes) {
  if (can_splice_) {
    off_t at = to_off(end_);
    const ssize_t n =
        retry_eintr([&] { return splice(source, nullptr, fd_.get(), &at, max_bytes, 0); });
    if (n > 0) end_ += static_cast<uint64_t>(n);
    if (n >= 0) return n;
    if (errno != EINVAL) return -errno;
    can_splice_ = false;  // not a pipe
  }
  std::byte buffer[64 << 10];  // as much as a read(2) from most pipes gives (pipe(7))
  const ssize_t n =
      retry_eintr([&] { return read(source, buffer, std::min(sizeof buffer, max_bytes)); });
  if (n < 0) return -errno;
  const int error = append({buffer, static_cast<size_t>(n)});
  return error == 0 ? n : error;
}

int Spool::append(std::span<const std::byte> bytes) {
  const int error = pwrite_full(fd_.get(), bytes, end_);
  if (error == 0) end_ += bytes.size();
  return error;
}

void Spool::release_to(uint64_t offset) {
  begin_ = std::max(begin_, std::min(offset, end_));
  static const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t whole = begin_ / page * page;
  if (whole == punched_) return;
  // A failure only costs space; the next call tries the same range again.
  if (fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, to_off(punched_),
                to_off(whole - punched_)) == 0)
    punched_ = whole;
}

}  // namespace zx
