// SPDX-License-Identifier: MIT
// TempFile: the only form in which received data exists before it is committed. A name that begins
// with ".zrecv-" in the directory of the final name, mode 0600, made exclusively. Destroyed without
// commit() it is gone. (A kill -9 leaves it: nothing can run then.)
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/file/held_dir.h"
#include "common/file/space.h"

namespace zx {

/// The temporary files that could not be removed since the last call, and why: for people.
std::vector<std::string> take_left_behind();

/// What has the final name: it is replaced; it stays, whatever that takes; nothing has it, and what
/// has come meanwhile is told rather than replaced.
enum class Replace { Yes, No, Nothing };

class TempFile {
 public:
  /// dir must outlive it. Throws Error{FileIo|NoSpace}.
  TempFile(const HeldDir& dir, std::string final_name);
  /// A symbolic link instead. It has no descriptor, and its size is that of `link_target`.
  TempFile(const HeldDir& dir, std::string final_name, const std::string& link_target);
  /// Another name of a file in `from`: of whatever has that name by now, see written(). It has no
  /// descriptor.
  TempFile(const HeldDir& dir, std::string final_name, const HeldDir& from,
           const std::string& name);
  ~TempFile();
  TempFile(const TempFile&) = delete;
  TempFile& operator=(const TempFile&) = delete;

  int fd() const { return fd_.get(); }
  const std::string& temp_name() const { return temp_name_; }
  /// The final name with its directory, quoted: for messages.
  std::string describe() const { return dir_->describe(final_name_); }

  // Throw as the functions in space.h.

  void preallocate(uint64_t size) { reserve_space(fd_.get(), size, describe()); }
  void truncate(uint64_t size) { set_length(fd_.get(), size, describe()); }
  /// Final permission bits and, when given, the modification time.
  void set_metadata(mode_t mode, const timespec* mtime, Caveats& caveats) {
    zx::set_metadata(fd_.get(), &mode, mtime, describe(), caveats);
  }

  /// Of a symbolic link.
  void set_link_time(const timespec& mtime, Caveats& caveats);

  /// May be called on another thread than the owner's.
  void sync(Caveats& caveats) { sync_to_disk(fd_.get(), describe() + ": sync to disk", caveats); }
  /// Closes the file, once: what a file system says only now is thrown as Error{FileIo|NoSpace}.
  void close();
  /// To be read, also when it is closed; nothing when it may not be. Throws Error{FileIo} when it
  /// cannot be, or is another one.
  UniqueFd reopen() const;
  /// Finds out whether Replace::No will be possible in this directory; its temporary name becomes
  /// another. Throws Error{FileIo} with the reason.
  void check_can_appear();
  /// close(), and renames to the final name; from then on the destructor leaves it. False, and
  /// nothing has changed, when that name exists and is not to be replaced. Throws Error{FileIo}
  /// when the temporary file is no longer the one that was written, with `size` bytes: somebody
  /// else was at it. ours_alone: nobody else may write to the directory, so its name is as it was.
  [[nodiscard]] bool commit(Replace replace, uint64_t size, bool ours_alone = false);
  /// As it was when it was closed.
  const struct stat& written() const { return closed_; }

 private:
  [[noreturn]] void fail_to_make(const std::string& operation);
  void look_at_link();
  int move_to(const std::string& name, Replace replace);

  const HeldDir* dir_;
  std::string final_name_, temp_name_;
  UniqueFd fd_;
  bool link_ = false;      // another name of a file that has one
  struct stat closed_ {};  // what it was when it was closed
};

}  // namespace zx
