// SPDX-License-Identifier: MIT
#include "zrecv/in_place_destination.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/file/replace.h"

namespace zx {
namespace {

bool compares_times(Overwrite rule) {
  return rule == Overwrite::Older || rule == Overwrite::Differ;
}

// Of the one entry that goes there.
class InPlaceSink final : public Sink {
 public:
  InPlaceSink(std::shared_ptr<InPlaceFile> file, const EntryInfo& info, bool keep_full_mode)
      : file_(std::move(file)),
        name_(base_name(file_->path())),
        info_(info),
        keep_full_mode_(keep_full_mode) {}

  const std::string& name() const override { return name_; }
  std::string output_name() const override { return file_->path(); }
  std::string describe() const override { return file_->describe(); }
  std::string remark() const override { return file_->remark(); }

  std::string look(const Negotiated& agreed) override {
    keep_time_ = agreed.preserve;
    if (file_->is_device() &&
        (compares_times(agreed.overwrite) || compares_times(agreed.overwrite_peer)))
      throw Error(ExitStatus::Refused,
                  describe() + ": --overwrite compares times, and a block device has none");
    return why_left_alone(agreed, file_->stat_at_open(), info_, describe(),
                          keeps_even_seconds(fd()));
  }
  void open() override {
    // A sparse file needs less than its size, but not on a device; of a stream it is a guess.
    if (!info_.open_ended && (!info_.sparse || file_->is_device())) file_->reserve(info_.size);
  }
  int fd() const override { return file_->fd(); }
  void begin_writing() override { file_->begin_writing(); }
  void zero(uint64_t offset, uint64_t length) override { file_->zero(offset, length); }
  // The mode is the existing file's, as it is where a new file takes its name.
  void finish(uint64_t size) override {
    file_->finish(size);
    const mode_t mode = info_.mode & 0777;  // never setuid, setgid or sticky
    const timespec mtime{info_.mtime_sec, info_.mtime_nsec};
    file_->set_metadata(keep_full_mode_ ? &mode : nullptr, keep_time_ ? &mtime : nullptr, caveats);
  }

  void sync() override { file_->sync(caveats); }
  UniqueFd reopen() override { return UniqueFd(fcntl(fd(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1)); }
  void close() override { file_->close(); }
  void publish(uint64_t size) override { file_->commit(size); }

 private:
  const std::shared_ptr<InPlaceFile> file_;
  const std::string name_;
  const EntryInfo info_;
  const bool keep_full_mode_;
  bool keep_time_ = false;
};

}  // namespace

InPlaceDestination::InPlaceDestination(const std::string& path, bool keep_full_mode)
    : file_(std::make_shared<InPlaceFile>(path)), keep_full_mode_(keep_full_mode) {}

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

std::unique_ptr<Sink> InPlaceDestination::sink_for(const EntryInfo& entry, WakeFd& /*event*/) {
  return place_for(entry)(entry);
}

Destination::Place InPlaceDestination::place_for(const EntryInfo& entry) {
  check_entry_name(entry);
  check_has_content(entry);
  if (std::exchange(taken_, true))
    throw Error(ExitStatus::Refused, file_->describe() + ": --inplace takes one source");
  return [this](const EntryInfo& of) {
    return std::make_unique<InPlaceSink>(file_, of, keep_full_mode_);
  };
}

}  // namespace zx
