// SPDX-License-Identifier: MIT
// InPlaceFile: a regular file or block device of the operator's that is written where it is
// (--inplace). There is no temporary file, so there is no way back: from the first block on its
// content is partly old and partly new, until all of it is new.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "common/base/quote.h"
#include "common/base/unique_fd.h"
#include "common/file/space.h"

namespace zx {

class InPlaceFile {
 public:
  /// Opens what is there; symbolic links of root and of this user are followed. A block device is
  /// opened exclusively: one that is mounted, or part of something, is refused. Throws
  /// Error{FileIo} for what does not exist, is neither, or cannot be read and written.
  explicit InPlaceFile(const std::string& path);

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  /// path(), quoted: for messages.
  std::string describe() const { return quote(path_); }
  bool is_device() const { return S_ISBLK(stat_.st_mode); }
  /// As it was when it was opened; of a block device with the size of its content.
  const struct stat& stat_at_open() const { return stat_; }

  /// Finds out whether size bytes have room, and reserves them in a regular file, where the file
  /// system can (not: go on). No content is touched. Throws Error{NoSpace|FileIo|Refused}; NoSpace
  /// for a device that is smaller.
  void reserve(uint64_t size);
  /// The first byte is about to be written: from now on remark() has something to say. Called by
  /// any thread, for every block.
  void begin_writing() { touched_ = true; }
  /// Makes a range read as zeros. Blocking, for long where the zeros have to be written; looks for
  /// a stop. Throws Error{FileIo|NoSpace}.
  void zero(uint64_t offset, uint64_t length);
  /// All was written, `size` bytes: sets the length of a regular file. What a device has behind
  /// them stays. Throws Error{FileIo|NoSpace|Refused}.
  void finish(uint64_t size);
  /// Permission bits, when given, and modification time, when given; not of a device: those of its
  /// node are not those of its content. Throws Error{FileIo}.
  void set_metadata(const mode_t* mode, const timespec* mtime, Caveats& caveats);
  void sync(Caveats& caveats) { sync_to_disk(fd_.get(), describe() + ": sync to disk", caveats); }
  /// Closes it, once, after sync(): what a file system says only now is thrown as
  /// Error{FileIo|NoSpace}.
  void close();
  /// close(), and from here on there is nothing to remark on. Throws Error{FileIo} when a regular
  /// file has not `size` bytes: somebody else was at it.
  void commit(uint64_t size);

  /// What a failure leaves behind, for messages: " (...)", or nothing when that is what was there
  /// before. Thread-safe.
  std::string remark() const;

 private:
  std::string path_;
  UniqueFd fd_;
  struct stat stat_ {
  }, closed_{};  // when it was opened, and when it was closed
  std::atomic<bool> touched_ = false;
};

}  // namespace zx
