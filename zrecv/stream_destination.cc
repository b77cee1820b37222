// SPDX-License-Identifier: MIT
#include "zrecv/stream_destination.h"

#include <utility>

#include "common/base/quote.h"
#include "common/file/name.h"
#include "zrecv/destination.h"
#include "zrecv/stream_sink.h"

namespace zx {

StreamDestination::StreamDestination(std::optional<std::string> command, bool verify_first)
    : output_(std::move(command)), verify_first_(verify_first) {}

void StreamDestination::refuse_several() const {
  throw Error(ExitStatus::Refused, output_.describe() + " takes one file, not several");
}

void StreamDestination::aim(const Negotiated& agreed, bool pull) {
  if (!pull && !agreed.path.empty())
    throw Error(ExitStatus::Refused, "the peer named " + quote(join_path(agreed.path)) +
                                         ", but this side receives for " + output_.describe());
  if (agreed.durability != Durability::None)
    throw Error(ExitStatus::Refused,
                "the peer insists on --durability, which " + output_.describe() + " cannot give");
  // A pull by name is for one of them.
  if (agreed.sources > 1 && agreed.path.empty()) refuse_several();
}

std::unique_ptr<EntrySink> StreamDestination::sink_for(const EntryInfo& entry) {
  check_entry_name(entry);
  if (std::exchange(taken_, true)) refuse_several();
  return std::make_unique<StreamSink>(entry, output_, verify_first_, event_);
}

}  // namespace zx
