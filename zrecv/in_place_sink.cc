// SPDX-License-Identifier: MIT
#include "zrecv/in_place_sink.h"

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {
namespace {

bool compares_times(Overwrite rule) {
  return rule == Overwrite::Older || rule == Overwrite::Differ;
}

}  // namespace

InPlaceSink::InPlaceSink(std::shared_ptr<InPlaceFile> file, const EntryInfo& info)
    : file_(std::move(file)), name_(base_name(file_->path())), info_(info) {}

bool InPlaceSink::look(const Negotiated& agreed) {
  const Overwrite here = agreed.overwrite, peer = agreed.overwrite_peer;
  if (file_->is_device() && (compares_times(here) || compares_times(peer)))
    throw Error(ExitStatus::Refused,
                describe() + ": --overwrite compares times, and a block device has none");
  return may_replace(agreed, file_->stat_at_open(), info_, describe());
}

void InPlaceSink::open() {
  // A sparse file needs less than its size, but not on a device; of a stream it is a guess.
  if (!info_.open_ended && (!info_.sparse || file_->is_device())) file_->reserve(info_.size);
}

// The mode is the existing file's, as it is where a new file takes its name.
void InPlaceSink::prepare(const CommitPolicy& policy) {
  const mode_t mode = info_.mode & 0777;  // never setuid, setgid or sticky
  const timespec mtime{info_.mtime_sec, info_.mtime_nsec};
  file_->set_metadata(policy.keep_full_mode ? &mode : nullptr,
                      policy.keep_times ? &mtime : nullptr);
}

InPlaceDestination::InPlaceDestination(const std::string& path)
    : file_(std::make_shared<InPlaceFile>(path)) {}

void InPlaceDestination::aim(const Negotiated& agreed, bool pull) {
  if (!pull && !agreed.path.empty())
    throw Error(ExitStatus::Refused, "the peer named " + quote(join_path(agreed.path)) +
                                         ", but this side writes into " + file_->describe() +
                                         " (--inplace)");
  // Found by the second entry, this would be too late for what the first has overwritten.
  const bool one_by_name = pull && !agreed.path.empty();
  if (agreed.several && !one_by_name)
    throw Error(ExitStatus::Refused, "--inplace takes one source, and the sender has several");
}

std::unique_ptr<Sink> InPlaceDestination::sink_for(const EntryInfo& entry) {
  check_entry_name(entry);
  if (std::exchange(taken_, true))
    throw Error(ExitStatus::Refused, file_->describe() + ": --inplace takes one source");
  return std::make_unique<InPlaceSink>(file_, entry);
}

}  // namespace zx
