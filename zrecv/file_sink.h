// SPDX-License-Identifier: MIT
// FileSink: an entry that becomes a file: a temporary one beside its target until the commit.
#pragma once

#include <optional>

#include "common/file/temp_file.h"
#include "zrecv/file_destination.h"
#include "zrecv/sink.h"

namespace zx {

class FileSink final : public Sink {
 public:
  FileSink(Target target, const EntryInfo& info);

  const std::string& name() const override { return target_.name; }
  std::string output_name() const override { return target_.dir->path_of(target_.name); }
  bool look(const Negotiated& agreed) override;
  void open() override;
  void finish(uint64_t size) override { temp_->truncate(size); }
  int fd() const override { return temp_->fd(); }
  std::string describe() const override { return target_.dir->describe(target_.name); }
  void prepare(const CommitPolicy& policy) override;
  void sync() override { temp_->sync(); }
  void close() override { temp_->close(); }
  void publish(const CommitPolicy& policy, uint64_t size) override;
  const HeldDir* directory() const override { return target_.dir; }

 private:
  Target target_;
  const EntryInfo info_;
  std::optional<TempFile> temp_;
};

}  // namespace zx
