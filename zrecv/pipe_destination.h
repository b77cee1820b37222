// SPDX-License-Identifier: MIT
// PipeDestination: one entry of a session, and no more, goes to standard output or a command.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "common/base/wake_fd.h"
#include "zrecv/destination.h"
#include "zrecv/pipe_output.h"

namespace zx {

class PipeDestination final : public Destination {
 public:
  /// command: of --exec; without it standard output. Throws Error{Usage}, see PipeOutput.
  PipeDestination(std::optional<std::string> command, bool verify_first);

  void aim(const Negotiated& agreed, bool pull) override;
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry) override;
  void set_event(WakeFd& event) override { event_ = &event; }
  std::string path() const override { return output_.path(); }

 private:
  [[noreturn]] void refuse_several() const;

  PipeOutput output_;
  const bool verify_first_;
  WakeFd* event_ = nullptr;
  bool taken_ = false;
};

}  // namespace zx
