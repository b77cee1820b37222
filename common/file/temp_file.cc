// SPDX-License-Identifier: MIT
#include "common/file/temp_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/random.h"
#include "common/file/name.h"

namespace zx {

TempFile::TempFile(const HeldDir& dir, std::string final_name)
    : dir_(&dir),
      final_name_(std::move(final_name)),
      temp_name_(std::string(kTempPrefix) + random_hex(8)) {
  fd_ = UniqueFd(openat(dir.fd(), temp_name_.c_str(),
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd_.valid()) throw_file_errno(describe() + ": create temporary file beside it", errno);
}

TempFile::~TempFile() {
  // A directory that has become read-only keeps it; nothing better can be done here.
  if (!temp_name_.empty()) (void)unlinkat(dir_->fd(), temp_name_.c_str(), 0);
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
