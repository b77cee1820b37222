// SPDX-License-Identifier: MIT
// InPlaceDestination: the one file or block device that --inplace writes into, whatever the sender
// calls what it sends.
#pragma once

#include <memory>

#include "common/file/in_place_file.h"
#include "zrecv/destination.h"

namespace zx {

class InPlaceDestination final : public Destination {
 public:
  /// Opens the operator's file. keep_full_mode: it gets the sender's permission bits. Throws as
  /// InPlaceFile().
  InPlaceDestination(const std::string& path, bool keep_full_mode);

  /// Throws Error{Refused} when the sender names a path or may have several sources.
  void aim(const Negotiated& agreed, bool pull) override;
  int place() const override { return file_->fd(); }
  /// Throws Error{Refused} for an unsafe name, though it is not used, and for a second entry.
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry, WakeFd& event) override;
  Place place_for(const EntryInfo& entry) override;
  const std::shared_ptr<InPlaceFile>& file() const { return file_; }

 private:
  const std::shared_ptr<InPlaceFile> file_;
  const bool keep_full_mode_;
  bool taken_ = false;
};

}  // namespace zx
