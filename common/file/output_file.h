// SPDX-License-Identifier: MIT
// OutputFile: what one entry is written to until it is committed. A TempFile gets its final name
// then; an InPlaceFile is what the operator named, and has its name all the time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <ctime>
#include <string>

#include "common/base/unique_fd.h"
#include "common/file/held_dir.h"

namespace zx {

enum class Replace { No, Yes };

class OutputFile {
 public:
  OutputFile() = default;
  virtual ~OutputFile() = default;
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;

  int fd() const { return fd_.get(); }
  /// The final name with its directory, quoted: for messages.
  virtual std::string describe() const = 0;

  /// Finds out whether size bytes have room, and reserves them where the file system can (not: go
  /// on). No content is touched. Throws Error{NoSpace|FileIo|Refused}.
  virtual void preallocate(uint64_t size) = 0;
  /// The first byte is about to be written: from now on remark() may have something to say. Called
  /// by any thread, for every block.
  virtual void begin_writing() {}
  /// Makes a range read as zeros; a fresh file does so. Blocking, for long where the zeros have to
  /// be written. Throws Error{FileIo|NoSpace}.
  virtual void zero(uint64_t offset, uint64_t length) = 0;
  /// Sets the length, when it has one that can be set. Throws as preallocate().
  virtual void truncate(uint64_t size) = 0;
  /// Final permission bits and, when given, the modification time. Throws Error{FileIo}.
  virtual void set_metadata(mode_t mode, const timespec* mtime) = 0;
  /// fsync(2), once: a failed one is final, a second could claim success for lost data. Throws
  /// Error{FileIo|NoSpace}. May be called on another thread than the owner's.
  void sync();
  /// What was written, `size` bytes, is now what the final name means. Throws
  /// Error{FileIo|Refused}.
  virtual void commit(Replace replace, uint64_t size) = 0;
  /// The directory to sync after commit(); nothing when no name has appeared in any.
  virtual const HeldDir* directory() const = 0;

  /// What a failure leaves behind under the final name, for messages: " (...)", or nothing when
  /// that is what was there before. Thread-safe.
  virtual std::string remark() const { return ""; }

 protected:
  void set_length(uint64_t size);
  void set_mode_and_time(mode_t mode, const timespec* mtime);
  /// fallocate(2) with this mode; a file system that cannot is no error. Throws as preallocate().
  void reserve(int mode, uint64_t size);
  [[noreturn]] void fail_for_size(const char* operation, uint64_t size, int error) const;

  UniqueFd fd_;
};

}  // namespace zx
