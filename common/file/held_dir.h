// SPDX-License-Identifier: MIT
// A directory held open by descriptor. Everything below the destination root is reached from one of
// these, one component at a time, without following symbolic links, so that neither a peer's name
// nor a local user who swaps directories can lead outside.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "common/base/caveat.h"
#include "common/base/quote.h"
#include "common/base/unique_fd.h"

namespace zx {

/// Makes the operator's directory, and those above it, where they are missing; their names are on
/// disk then. Throws Error{FileIo|NoSpace}.
void make_directories(const std::string& path);

/// openat(2) of a directory whose names are to be read, which leaves its access time alone where
/// this user may have that (O_NOATIME). -1 and errno.
int open_to_list(int dir, const char* name, int flags);

class HeldDir {
 public:
  /// The operator's own directory: symbolic links in `path` are followed. Throws Error{FileIo}.
  static HeldDir open_operator_path(const std::string& path);
  /// The same, for somebody who does not learn where it is: messages name what is below it only.
  static HeldDir open_root(const std::string& path);

  /// The subdirectory with this one-component name, or nothing when it is no directory (a symbolic
  /// link is none). Throws Error{Refused} for an unsafe name, Error{FileIo} otherwise.
  std::optional<HeldDir> open_child(const std::string& name) const;

  /// The same, and made, with its name on disk, where nothing has that name.
  std::optional<HeldDir> make_child(const std::string& name) const;

  /// The same, but a new one is 0700, and its name is not on disk yet. `made`: it is new.
  std::optional<HeldDir> make_private_child(const std::string& name, bool* made) const;

  /// What a symbolic link in it says; nothing for anything else.
  std::optional<std::string> link_target(const std::string& name) const;
  /// The place of one that is not there: only to be named.
  HeldDir absent_child(const std::string& name) const { return {UniqueFd(), path_of(name)}; }
  /// The same for the operator's path. Throws Error{FileIo} when make_directories() could not make
  /// it.
  static HeldDir absent_operator_path(const std::string& path);

  /// The directory that these names lead to from here, one open_child() after another, or
  /// make_child() with `make`; without names the same once more. Throws Error{FileIo} where one is
  /// missing.
  HeldDir walk(std::span<const std::string> names, bool make) const;

  /// lstat of a one-component name; nothing when there is none.
  std::optional<struct stat> stat_child(const std::string& name) const;

  /// The first name in it that is wanted; "" when there is none, nothing when that cannot be seen.
  std::optional<std::string> find(const std::function<bool(const dirent&)>& wanted) const;

  /// fsync of the directory itself: makes renames in it durable. As sync_to_disk().
  void sync(Caveats& caveats) const;

  int fd() const { return fd_.get(); }
  /// How messages call it; unquoted.
  const std::string& path() const { return path_; }
  /// path() and name; unquoted.
  std::string path_of(const std::string& name) const;
  /// path_of(), quoted: for messages.
  std::string describe(const std::string& name) const { return quote(path_of(name)); }

 private:
  HeldDir(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  UniqueFd fd_;
  std::string path_;
};

}  // namespace zx
