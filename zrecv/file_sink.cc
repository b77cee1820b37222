// SPDX-License-Identifier: MIT
#include "zrecv/file_sink.h"

#include <sys/stat.h>

#include "common/base/error.h"

namespace zx {
namespace {

// Up to here reserving space costs more than it tells: the write itself says at once whether there
// is room.
constexpr uint64_t kSmallBytes = 64 << 10;

mode_t current_umask() {
  const mode_t mask = umask(077);
  umask(mask);
  return mask;
}

// Never setuid, setgid or sticky: the sender does not decide about those.
mode_t final_mode(const EntryInfo& info, const Target& target, bool keep_full) {
  const auto sent = static_cast<mode_t>(info.mode & 0777);
  if (keep_full) return sent;
  if (target.existing && S_ISREG(target.existing->st_mode)) return target.existing->st_mode & 0777;
  static const mode_t mask = current_umask();
  return sent & ~mask;
}

}  // namespace

FileSink::FileSink(Target target, const EntryInfo& info)
    : target_(std::move(target)), info_(info) {}

std::string FileSink::output_name() const {
  const std::string& dir = target_.dir->path();
  return dir == "." ? target_.name : dir + (dir.ends_with('/') ? "" : "/") + target_.name;
}

bool FileSink::look(const Negotiated& agreed) {
  target_.existing = target_.dir->stat_child(target_.name);
  if (!target_.existing) return true;
  if (S_ISDIR(target_.existing->st_mode))
    throw Error(ExitStatus::FileIo, describe() + ": is a directory");
  return may_replace(agreed, *target_.existing, info_, describe());
}

void FileSink::open() {
  temp_.emplace(*target_.dir, target_.name);
  if (!info_.sparse && !info_.open_ended && info_.size > kSmallBytes)
    temp_->preallocate(info_.size);
}

void FileSink::finish(uint64_t size) {
  struct stat st {};
  if (fstat(temp_->fd(), &st) != 0 || static_cast<uint64_t>(st.st_size) != size)
    temp_->truncate(size);
}

void FileSink::prepare(const CommitPolicy& policy) {
  const timespec mtime{info_.mtime_sec, info_.mtime_nsec};
  temp_->set_metadata(final_mode(info_, target_, policy.keep_full_mode),
                      policy.keep_times ? &mtime : nullptr);
}

void FileSink::publish(const CommitPolicy& policy, uint64_t size) {
  const bool never =
      policy.overwrite == Overwrite::Never || policy.overwrite_peer == Overwrite::Never;
  temp_->commit(never ? Replace::No : Replace::Yes, size);
}

}  // namespace zx
