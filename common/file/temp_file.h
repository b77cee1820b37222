// SPDX-License-Identifier: MIT
// TempFile: the only form in which received data exists before it is committed. A name that begins
// with ".zrecv-" in the directory of the final name, mode 0600, made exclusively. Destroyed without
// commit() it is gone. (A kill -9 leaves it: nothing can run then.)
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "common/base/unique_fd.h"
#include "common/file/held_dir.h"
#include "common/file/space.h"

namespace zx {

enum class Replace { No, Yes };

class TempFile {
 public:
  /// dir must outlive it. Throws Error{FileIo|NoSpace}; `final_name` is only for messages.
  TempFile(const HeldDir& dir, std::string final_name);
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  int fd() const { return fd_.get(); }
  /// The final name with its directory, quoted: for messages.
  std::string describe() const { return dir_->describe(final_name_); }

  // Throw as the functions in space.h.

  void preallocate(uint64_t size) { reserve_space(fd_.get(), size, describe()); }
  void truncate(uint64_t size) { set_length(fd_.get(), size, describe()); }
  /// Final permission bits and, when given, the modification time.
  void set_metadata(mode_t mode, const timespec* mtime) {
    zx::set_metadata(fd_.get(), &mode, mtime, describe());
  }

  /// fsync(2), once: a failed one is final, a second could claim success for lost data. Throws
  /// Error{FileIo|NoSpace}. May be called on another thread than the owner's.
  void sync();
  /// Closes the file, once: what a file system says only now is thrown as Error{FileIo|NoSpace}.
  void close();
  /// close(), and renames to the final name; from then on the destructor leaves it. With
  /// Replace::No an existing name is Error{Refused} and stays as it is. Throws Error{FileIo} when
  /// the temporary file is no longer the one that was written, with `size` bytes: somebody else was
  /// at it.
  void commit(Replace replace, uint64_t size);

 private:
  const HeldDir* dir_;
  std::string final_name_, temp_name_;
  UniqueFd fd_;
  struct stat closed_ {};  // what it was when it was closed
};

}  // namespace zx
