// SPDX-License-Identifier: MIT
// StreamDestination: one entry of a session, and no more, goes to standard output or a command.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/wake_fd.h"
#include "zrecv/entry_sink.h"
#include "zrecv/stream_output.h"

namespace zx {

class StreamDestination final : public Destination {
 public:
  /// command: of --exec; without it standard output. Throws Error{Usage}, see StreamOutput.
  StreamDestination(std::optional<std::string> command, bool verify_first);

  void aim(const Negotiated& agreed, bool pull) override;
  std::unique_ptr<EntrySink> sink_for(const EntryInfo& entry) override;
  WakeFd* event() override { return &event_; }
  std::string path() const override { return output_.path(); }

 private:
  [[noreturn]] void refuse_several() const;

  StreamOutput output_;
  const bool verify_first_;
  WakeFd event_;
  bool taken_ = false;
};

}  // namespace zx
