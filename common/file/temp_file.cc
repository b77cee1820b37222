// SPDX-License-Identifier: MIT
#include "common/file/temp_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/base/random.h"
#include "common/file/name.h"
#include "common/file/space.h"

namespace zx {

TempFile::TempFile(const HeldDir& dir, std::string final_name)
    : dir_(&dir),
      final_name_(std::move(final_name)),
      temp_name_(std::string(kTempPrefix) + random_hex(8)) {
  fd_ = UniqueFd(openat(dir.fd(), temp_name_.c_str(),
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd_.valid()) throw_file_errno(describe() + ": create temporary file beside it", errno);
}

TempFile::TempFile(TempFile&& other) noexcept
    : dir_(other.dir_),
      final_name_(std::move(other.final_name_)),
      temp_name_(std::exchange(other.temp_name_, {})),
      fd_(std::move(other.fd_)),
      closed_(other.closed_) {}

TempFile::~TempFile() {
  // A directory that has become read-only keeps it; nothing better can be done here.
  if (!temp_name_.empty()) (void)unlinkat(dir_->fd(), temp_name_.c_str(), 0);
}

void TempFile::fail_for_size(const char* operation, uint64_t size, int error) const {
  const std::string what =
      describe() + ": " + operation + " for " + std::to_string(size) + " bytes";
  throw_file_errno(what, error);
}

void TempFile::preallocate(uint64_t size) {
  if (const int error = reserve_space(fd_.get(), size)) fail_for_size("reserve space", size, error);
}

void TempFile::truncate(uint64_t size) {
  if (retry_eintr([&] { return ftruncate(fd_.get(), to_off(size)); }) == 0) return;
  fail_for_size("set length", size, errno);
}

void TempFile::set_metadata(mode_t mode, const timespec* mtime) {
  if (fchmod(fd_.get(), mode) != 0) throw_file_errno(describe() + ": set mode", errno);
  if (mtime == nullptr) return;
  const timespec times[2] = {{0, UTIME_NOW}, *mtime};
  if (futimens(fd_.get(), times) != 0) throw_file_errno(describe() + ": set times", errno);
}

void TempFile::sync() {
  // fsync, not fdatasync: mode and times were just set and belong to what is promised. Not repeated
  // on any error, EINTR included.
  if (fsync(fd_.get()) != 0) throw_file_errno(describe() + ": sync to disk", errno);
}

void TempFile::close() {
  if (!fd_.valid()) return;
  if (fstat(fd_.get(), &closed_) != 0)
    throw_file_errno(describe() + ": look at the temporary file", errno);
  // A file system in the network may only now say that there is no room.
  const int error = fd_.close();
  if (error != 0 && error != EINTR) throw_file_errno(describe() + ": close", error);
}

void TempFile::commit(Replace replace, uint64_t size) {
  close();
  const int dir = dir_->fd();
  const char* from = temp_name_.c_str();
  struct stat named {};
  if (fstatat(dir, from, &named, AT_SYMLINK_NOFOLLOW) != 0)
    throw_file_errno(describe() + ": look at the temporary file", errno);
  if (closed_.st_dev != named.st_dev || closed_.st_ino != named.st_ino ||
      static_cast<uint64_t>(named.st_size) != size)
    throw Error(ExitStatus::FileIo,
                describe() + ": the temporary file was changed by somebody else");
  const char* to = final_name_.c_str();
  int result = renameat2(dir, from, dir, to, replace == Replace::No ? RENAME_NOREPLACE : 0);
  if (result != 0 && errno == EINVAL && replace == Replace::No) {
    // No RENAME_NOREPLACE on this file system: link(2) never replaces either.
    result = linkat(dir, from, dir, to, 0);
    if (result == 0) result = unlinkat(dir, from, 0);
  }
  if (result != 0) {
    if (errno == EEXIST) throw Error(ExitStatus::Refused, describe() + ": exists already");
    throw_file_errno(describe() + ": rename to the final name", errno);
  }
  temp_name_.clear();
}

}  // namespace zx
