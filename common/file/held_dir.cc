// SPDX-License-Identifier: MIT
#include "common/file/held_dir.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <memory>

#include "common/base/error.h"
#include "common/file/name.h"
#include "common/file/space.h"

namespace zx {
namespace {

// One that may be written to but not read, as a drop box is, can be all but synced.
UniqueFd open_directory(int dir, const char* path, int flags) {
  flags |= O_DIRECTORY | O_CLOEXEC;
  UniqueFd fd(openat(dir, path, O_RDONLY | flags));
  if (!fd.valid() && errno == EACCES) fd = UniqueFd(openat(dir, path, O_PATH | flags));
  return fd;
}

// A directory with its name on disk, where nothing has that name.
void make_directory(int dir, const std::string& path, const std::string& shown) {
  if (mkdirat(dir, path.c_str(), 0777) != 0) {
    if (errno == EEXIST) return;
    throw_file_errno(shown + ": make directory", errno);
  }
  const UniqueFd above(openat(dir, (path + "/..").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Not every file system can, and not every parent may be read.
  if (above.valid() && fsync(above.get()) != 0 && !is_unsupported(errno))
    throw_file_errno(shown + ": sync the directory above", errno);
}

}  // namespace

void make_directories(const std::string& path) {
  struct stat there {};
  for (size_t end = 1; end <= path.size(); ++end) {
    if (end < path.size() && path[end] != '/') continue;
    const std::string part = path.substr(0, end);
    if (stat(part.c_str(), &there) != 0) make_directory(AT_FDCWD, part, quote(part));
  }
}

int open_to_list(int dir, const char* name, int flags) {
  flags |= O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const int fd = openat(dir, name, flags | O_NOATIME);
  return fd < 0 && errno == EPERM ? openat(dir, name, flags) : fd;
}

HeldDir HeldDir::absent_operator_path(const std::string& path) {
  std::string above = path;
  struct stat there {};
  do {
    while (above.ends_with('/')) above.pop_back();
    above.resize(above.rfind('/') + 1);
    if (above.empty()) above = ".";
  } while (stat(above.c_str(), &there) != 0 && errno == ENOENT);
  if (faccessat(AT_FDCWD, above.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    throw_file_errno(quote(path) + ": make directory", errno);
  return {UniqueFd(), path};
}

HeldDir HeldDir::open_operator_path(const std::string& path) {
  UniqueFd fd(open_directory(AT_FDCWD, path.c_str(), 0));
  if (!fd.valid()) throw_file_errno(quote(path) + ": open directory", errno);
  return {std::move(fd), path};
}

HeldDir HeldDir::open_root(const std::string& path) {
  HeldDir root = open_operator_path(path);
  root.path_ = ".";
  return root;
}

std::string HeldDir::path_of(const std::string& name) const {
  return path_ == "." ? name : path_ + (path_.ends_with('/') ? "" : "/") + name;
}

std::optional<HeldDir> HeldDir::open_child(const std::string& name) const {
  check_component(name);
  UniqueFd fd(open_directory(fd_.get(), name.c_str(), O_NOFOLLOW));
  if (fd.valid()) return HeldDir(std::move(fd), path_of(name));
  // A symbolic link: ENOTDIR with O_DIRECTORY | O_NOFOLLOW (open(2)), ELOOP on some file systems.
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return std::nullopt;
  throw_file_errno(describe(name) + ": open directory", errno);
}

std::optional<HeldDir> HeldDir::make_child(const std::string& name) const {
  check_component(name);
  make_directory(fd_.get(), name, describe(name));
  return open_child(name);
}

std::optional<HeldDir> HeldDir::make_private_child(const std::string& name, bool* made) const {
  check_component(name);
  *made = mkdirat(fd_.get(), name.c_str(), 0700) == 0;
  if (!*made && errno != EEXIST) throw_file_errno(describe(name) + ": make directory", errno);
  return open_child(name);
}

HeldDir HeldDir::walk(std::span<const std::string> names, bool make) const {
  HeldDir at(UniqueFd(fcntl(fd_.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)), path_);
  if (!at.fd_.valid()) throw_file_errno(quote(path_) + ": duplicate", errno);
  for (const std::string& name : names) {
    auto child = make ? at.make_child(name) : at.open_child(name);
    if (!child)
      throw Error(ExitStatus::FileIo, at.describe(name) + ": no such directory below the root");
    at = std::move(*child);
  }
  return at;
}

std::optional<struct stat> HeldDir::stat_child(const std::string& name) const {
  check_component(name);
  struct stat st {};
  if (fstatat(fd_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) return st;
  if (errno == ENOENT) return std::nullopt;
  throw_file_errno(describe(name) + ": stat", errno);
}

std::optional<std::string> HeldDir::link_target(const std::string& name) const {
  std::array<char, PATH_MAX> text{};
  const ssize_t n = readlinkat(fd_.get(), name.c_str(), text.data(), text.size());
  if (n < 0) return std::nullopt;
  return std::string(text.data(), static_cast<size_t>(n));
}

std::optional<std::string> HeldDir::find(const std::function<bool(const dirent&)>& wanted) const {
  UniqueFd fd(open_to_list(fd_.get(), ".", 0));
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(fd.valid() ? fdopendir(fd.get()) : nullptr,
                                                closedir);
  if (!dir) return std::nullopt;
  (void)fd.release();  // it is the DIR's
  while (const dirent* entry = readdir(dir.get()))
    if (wanted(*entry)) return entry->d_name;
  return "";
}

void HeldDir::sync(Caveats& caveats) const {
  sync_to_disk(fd_.get(), quote(path_) + ": sync directory", caveats);
}

}  // namespace zx
