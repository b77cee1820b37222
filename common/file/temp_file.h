// SPDX-License-Identifier: MIT
// TempFile: the only form in which received data exists before it is committed. A name that begins
// with ".zrecv-" in the directory of the final name, mode 0600, made exclusively. Destroyed without
// commit() it is gone. (A kill -9 leaves it: nothing can run then.)
#pragma once

#include <cstdint>
#include <string>

#include "common/file/output_file.h"

namespace zx {

class TempFile final : public OutputFile {
 public:
  /// dir must outlive it. Throws Error{FileIo|NoSpace}; `final_name` is only for messages.
  TempFile(const HeldDir& dir, std::string final_name);
  ~TempFile() override;
  TempFile(TempFile&& other) noexcept;
  TempFile& operator=(TempFile&&) = delete;

  std::string describe() const override { return dir_->describe(final_name_); }
  void preallocate(uint64_t size) override { reserve(0, size); }
  void zero(uint64_t, uint64_t) override {}
  void truncate(uint64_t size) override { set_length(size); }
  void set_metadata(mode_t mode, const timespec* mtime) override { set_mode_and_time(mode, mtime); }
  /// Renames to the final name; from then on the destructor leaves it. With Replace::No an existing
  /// name is Error{Refused} and stays as it is. Throws Error{FileIo} when the temporary file is no
  /// longer the one that was written, with `size` bytes: somebody else was at it.
  void commit(Replace replace, uint64_t size) override;
  const HeldDir* directory() const override { return dir_; }

 private:
  const HeldDir* dir_;
  std::string final_name_, temp_name_;
};

}  // namespace zx
