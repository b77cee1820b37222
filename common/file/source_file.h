// SPDX-License-Identifier: MIT
// SourceFile: a regular file or block device that is read and whose changes while it is read are
// noticed.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/file/held_dir.h"

namespace zx {

/// A run of bytes in a file.
struct Extent {
  uint64_t offset = 0, length = 0;
  bool hole = false;  // reads as zeros and occupies no space
};

/// How a file differs from what it was when it was opened.
enum class Change {
  None,
  Inode,  // only its change time: a link, its name, mode or attributes, or a time that was set back
  Content,  // its size or modification time; of a block device, the size
};

/// Another process has a lease on the file (fcntl(2)), and was told to give it up.
class LeasedFile : public Error {
 public:
  explicit LeasedFile(const std::string& path);
};

class SourceFile {
 public:
  /// Opens the operator's file. A directory, FIFO, character device or socket is an Error{FileIo},
  /// and so is one that cannot be read; opening never blocks, and throws LeasedFile instead.
  explicit SourceFile(const std::string& path) : SourceFile(AT_FDCWD, path, path, 0) {}
  /// The same for a name in a held directory; a symbolic link is not followed.
  SourceFile(const HeldDir& dir, const std::string& name)
      : SourceFile(dir.fd(), name, dir.path_of(name), O_NOFOLLOW) {}
  /// One that is open already, and regular; `name` is what messages and the receiver call it.
  /// Throws Error{FileIo}.
  SourceFile(UniqueFd fd, std::string name);

  int fd() const { return fd_.get(); }
  /// Another one for every file this process opens, from 1 on: names and descriptors come back.
  uint64_t serial() const { return serial_; }
  const std::string& path() const { return path_; }
  /// As it was when it was opened; of a block device with the size of its content, and the time of
  /// opening as mtime: the times of its node say nothing about it. Of a file that gives less than
  /// it says, as those of /sys do, with the size of what it gives.
  const struct stat& stat_at_open() const { return stat_; }
  uint64_t size() const { return static_cast<uint64_t>(stat_.st_size); }

  /// Fewer blocks than bytes: holes are worth looking for.
  bool sparse() const;
  /// The run of data or hole that begins at offset and ends at `end` at the latest. Holes shorter
  /// than 64 KiB count as data: a frame each would cost more than their zeros. A file system that
  /// knows no holes has none, nor has a block device.
  Extent extent_at(uint64_t offset, uint64_t end) const;
  Change change() const;

 private:
  SourceFile(int dir, const std::string& path, const std::string& shown, int flags);
  bool is_device() const { return S_ISBLK(stat_.st_mode); }
  void find_real_size();

  std::string path_;
  UniqueFd fd_;
  uint64_t serial_ = 0;
  struct stat stat_ {};
  off_t said_bytes_ = 0;  // its size by stat(2)
};

}  // namespace zx
