// SPDX-License-Identifier: MIT
#include "zrecv/pipe_destination.h"

#include <utility>

#include "common/base/quote.h"
#include "common/file/name.h"
#include "zrecv/pipe_sink.h"

namespace zx {

PipeDestination::PipeDestination(std::optional<std::string> command, bool verify_first)
    : output_(std::move(command)), verify_first_(verify_first) {}

void PipeDestination::refuse_several() const {
  throw Error(ExitStatus::Refused, output_.describe() + " takes one file, not several");
}

void PipeDestination::aim(const Negotiated& agreed, bool pull) {
  if (!pull && !agreed.path.empty())
    throw Error(ExitStatus::Refused, "the peer named " + quote(join_path(agreed.path)) +
                                         ", but this side receives for " + output_.describe());
  if (agreed.durability != Durability::None)
    throw Error(ExitStatus::Refused,
                "the peer insists on --durability, which " + output_.describe() + " cannot give");
  // A pull by name is for one of them.
  if (agreed.several && agreed.path.empty()) refuse_several();
}

std::unique_ptr<Sink> PipeDestination::sink_for(const EntryInfo& entry) {
  check_entry_name(entry);
  if (std::exchange(taken_, true)) refuse_several();
  return std::make_unique<PipeSink>(entry, output_, verify_first_, event_);
}

}  // namespace zx
