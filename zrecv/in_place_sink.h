// SPDX-License-Identifier: MIT
// InPlaceDestination: the one file or block device that --inplace writes into, whatever the sender
// calls what it sends; and the sink of the one entry that goes there.
#pragma once

#include <memory>

#include "common/file/in_place_file.h"
#include "zrecv/destination.h"

namespace zx {

class InPlaceSink final : public Sink {
 public:
  InPlaceSink(std::shared_ptr<InPlaceFile> file, const EntryInfo& info);

  const std::string& name() const override { return name_; }
  std::string output_name() const override { return file_->path(); }
  bool look(const Negotiated& agreed) override;
  void open() override;
  void finish(uint64_t size) override { file_->finish(size); }
  int fd() const override { return file_->fd(); }
  std::string describe() const override { return file_->describe(); }
  void begin_writing() override { file_->begin_writing(); }
  void zero(uint64_t offset, uint64_t length) override { file_->zero(offset, length); }
  std::string remark() const override { return file_->remark(); }
  void prepare(const CommitPolicy& policy) override;
  void sync() override { file_->sync(); }
  void publish(const CommitPolicy&, uint64_t size) override { file_->commit(size); }

 private:
  const std::shared_ptr<InPlaceFile> file_;
  const std::string name_;
  const EntryInfo info_;
};

class InPlaceDestination final : public Destination {
 public:
  /// Opens the operator's file. Throws as InPlaceFile().
  explicit InPlaceDestination(const std::string& path);

  /// Throws Error{Refused} when the sender names a path or may have several sources.
  void aim(const Negotiated& agreed, bool pull) override;
  /// Throws Error{Refused} for an unsafe name, though it is not used, and for a second entry.
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry) override;
  const std::shared_ptr<InPlaceFile>& file() const { return file_; }

 private:
  const std::shared_ptr<InPlaceFile> file_;
  bool taken_ = false;
};

}  // namespace zx
