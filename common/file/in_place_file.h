// SPDX-License-Identifier: MIT
// InPlaceFile: a regular file or block device of the operator's that is written where it is
// (--inplace). There is no temporary file, so there is no way back: from the first block on its
// content is partly old and partly new, until all of it is new.
#pragma once

#include <sys/stat.h>

#include <atomic>

#include "common/file/output_file.h"

namespace zx {

class InPlaceFile final : public OutputFile {
 public:
  /// Opens what is there; symbolic links of root and of this user are followed. A block device is
  /// opened exclusively: one that is mounted, or part of something, is refused. Throws
  /// Error{FileIo} for what does not exist, is neither, or cannot be read and written.
  explicit InPlaceFile(const std::string& path);

  bool is_device() const { return S_ISBLK(stat_.st_mode); }
  /// As it was when it was opened.
  const struct stat& stat_at_open() const { return stat_; }

  std::string describe() const override;
  /// A device with less than size bytes is Error{NoSpace}.
  void preallocate(uint64_t size) override;
  void begin_writing() override { touched_ = true; }
  void zero(uint64_t offset, uint64_t length) override;
  /// What a device has after its new content stays as it is.
  void truncate(uint64_t size) override;
  /// Not of a device: mode and time of its node are not those of its content.
  void set_metadata(mode_t mode, const timespec* mtime) override;
  /// From here on there is nothing to remark on.
  void commit(Replace replace, uint64_t size) override;
  const HeldDir* directory() const override { return nullptr; }
  std::string remark() const override;

 private:
  std::string path_;
  struct stat stat_ {};
  uint64_t device_bytes_ = 0;
  std::atomic<bool> touched_ = false;
};

}  // namespace zx
