// SPDX-License-Identifier: MIT
#include "common/file/held_dir.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/file/name.h"

namespace zx {

HeldDir HeldDir::open_operator_path(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) throw_file_errno(quote(path) + ": open directory", errno);
  return {std::move(fd), path};
}

std::string HeldDir::path_of(const std::string& name) const {
  return path_ == "." ? name : path_ + (path_.ends_with('/') ? "" : "/") + name;
}

std::optional<HeldDir> HeldDir::open_child(const std::string& name) const {
  check_component(name);
  UniqueFd fd(openat(fd_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.valid()) return HeldDir(std::move(fd), path_of(name));
  // A symbolic link: ENOTDIR with O_DIRECTORY | O_NOFOLLOW (open(2)), ELOOP on some file systems.
  if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return std::nullopt;
  throw_file_errno(describe(name) + ": open directory", errno);
}

std::optional<struct stat> HeldDir::stat_child(const std::string& name) const {
  check_component(name);
  struct stat st {};
  if (fstatat(fd_.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0) return st;
  if (errno == ENOENT) return std::nullopt;
  throw_file_errno(describe(name) + ": stat", errno);
}

void HeldDir::sync() const {
  if (retry_eintr([&] { return fsync(fd_.get()); }) == 0) return;
  throw_file_errno(quote(path_) + ": sync directory", errno);
}

}  // namespace zx
