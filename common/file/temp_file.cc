// SPDX-License-Identifier: MIT
#include "common/file/temp_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/random.h"
#include "common/file/name.h"

namespace zx {
namespace {

// Of the process: a destructor has nobody to tell.
std::mutex left_behind_mutex;
std::vector<std::string> left_behind;

// Random bytes are had for many names at once.
std::string new_temp_name() {
  thread_local std::array<std::byte, 512> pool;
  thread_local size_t used = pool.size();
  constexpr size_t kBytes = 8;
  if (used == pool.size()) {
    fill_random(pool);
    used = 0;
  }
  const auto random = std::span(pool).subspan(used, kBytes);
  used += kBytes;
  return std::string(kTempPrefix) + to_hex(random);
}

}  // namespace

std::vector<std::string> take_left_behind() {
  const std::lock_guard lock(left_behind_mutex);
  return std::exchange(left_behind, {});
}

TempFile::TempFile(const HeldDir& dir, std::string final_name)
    : dir_(&dir), final_name_(std::move(final_name)), temp_name_(new_temp_name()) {
  fd_ = UniqueFd(openat(dir.fd(), temp_name_.c_str(),
                        O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd_.valid()) throw_file_errno(describe() + ": create temporary file beside it", errno);
}

TempFile::TempFile(const HeldDir& dir, std::string final_name, const std::string& link_target)
    : dir_(&dir), final_name_(std::move(final_name)), temp_name_(new_temp_name()) {
  if (symlinkat(link_target.c_str(), dir.fd(), temp_name_.c_str()) != 0)
    fail_to_make("make symbolic link");
  look_at_link();
}

TempFile::TempFile(const HeldDir& dir, std::string final_name, const HeldDir& from,
                   const std::string& name)
    : dir_(&dir), final_name_(std::move(final_name)), temp_name_(new_temp_name()), link_(true) {
  if (linkat(from.fd(), name.c_str(), dir.fd(), temp_name_.c_str(), 0) != 0)
    fail_to_make("make hard link to " + from.describe(name));
  look_at_link();
}

void TempFile::fail_to_make(const std::string& operation) {
  const int error = errno;
  temp_name_.clear();
  throw_file_errno(describe() + ": " + operation, error);
}

void TempFile::look_at_link() {
  if (fstatat(dir_->fd(), temp_name_.c_str(), &closed_, AT_SYMLINK_NOFOLLOW) == 0) return;
  const int error = errno;
  (void)unlinkat(dir_->fd(), temp_name_.c_str(), 0);
  throw_file_errno(describe() + ": look at the link", error);
}

void TempFile::set_link_time(const timespec& mtime, Caveats& caveats) {
  const timespec times[] = {{0, UTIME_OMIT}, mtime};
  if (utimensat(dir_->fd(), temp_name_.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0)
    caveat_or_throw(Caveat::Times, describe() + ": set times", errno, caveats);
}

TempFile::~TempFile() {
  if (temp_name_.empty() || unlinkat(dir_->fd(), temp_name_.c_str(), 0) == 0 || errno == ENOENT)
    return;
  // For instance in a directory that has become read-only.
  const std::string text =
      dir_->describe(temp_name_) + ": temporary file left behind: " + errno_text(errno);
  const std::lock_guard lock(left_behind_mutex);
  left_behind.push_back(text);
}

void TempFile::close() {
  if (!fd_.valid()) return;
  if (fstat(fd_.get(), &closed_) != 0)
    throw_file_errno(describe() + ": look at the temporary file", errno);
  // A file system in the network may only now say that there is no room.
  if (const int error = fd_.close(); error != 0) throw_file_errno(describe() + ": close", error);
}

UniqueFd TempFile::reopen() const {
  UniqueFd fd(fd_.valid() ? fcntl(fd_.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
                          : openat(dir_->fd(), temp_name_.c_str(),
                                   O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid() && is_denied(errno)) return fd;
  if (!fd.valid()) throw_file_errno(describe() + ": open it again", errno);
  struct stat st {};
  if (!fd_.valid() &&
      (fstat(fd.get(), &st) != 0 || st.st_dev != closed_.st_dev || st.st_ino != closed_.st_ino))
    throw Error(ExitStatus::FileIo,
                describe() + ": the temporary file was changed by somebody else");
  return fd;
}

// 0 or an errno.
int TempFile::move_to(const std::string& name, Replace replace) {
  const int dir = dir_->fd();
  const char *from = temp_name_.c_str(), *to = name.c_str();
  const auto error_of = [](int result) { return result == 0 ? 0 : errno; };
  int error = replace == Replace::Yes ? error_of(renameat(dir, from, dir, to))
                                      : error_of(renameat2(dir, from, dir, to, RENAME_NOREPLACE));
  const bool unknown = is_unsupported(error);
  if (unknown && replace == Replace::Nothing) {
    struct stat there {};
    const bool exists = fstatat(dir, to, &there, AT_SYMLINK_NOFOLLOW) == 0;
    error = exists ? EEXIST : error_of(renameat(dir, from, dir, to));
  } else if (unknown && replace == Replace::No) {
    // link(2) never replaces either.
    error = error_of(linkat(dir, from, dir, to, 0));
    // It has its name now; the destructor tries once more to take the other one away.
    if (error == 0 && unlinkat(dir, from, 0) != 0) return 0;
  }
  // Of two names of one file rename(2) leaves both.
  if (error == 0 && link_) (void)unlinkat(dir, from, 0);
  if (error == 0) temp_name_.clear();
  return error;
}

void TempFile::check_can_appear() {
  std::string other = new_temp_name();
  if (const int error = move_to(other, Replace::No); error != 0)
    throw Error(ExitStatus::FileIo,
                describe() + ": the file system can neither rename without replacing nor link (" +
                    errno_text(error) + "): no --overwrite=never or =skip there");
  if (!temp_name_.empty()) {
    (void)unlinkat(dir_->fd(), other.c_str(), 0);
    throw Error(ExitStatus::FileIo, describe() + ": temporary files cannot be removed beside it");
  }
  temp_name_ = std::move(other);
}

bool TempFile::commit(Replace replace, uint64_t size, bool ours_alone) {
  close();
  struct stat named = closed_;
  if (!ours_alone && fstatat(dir_->fd(), temp_name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) != 0)
    throw_file_errno(describe() + ": look at the temporary file", errno);
  if (closed_.st_dev != named.st_dev || closed_.st_ino != named.st_ino ||
      static_cast<uint64_t>(named.st_size) != size)
    throw Error(ExitStatus::FileIo,
                describe() + ": the temporary file was changed by somebody else");
  const int error = move_to(final_name_, replace);
  if (error == EEXIST && replace != Replace::Yes) return false;
  if (error != 0) throw_file_errno(describe() + ": rename to the final name", error);
  return true;
}

}  // namespace zx
