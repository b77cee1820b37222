// SPDX-License-Identifier: MIT
#include "zrecv/deleter.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/wait.h"
#include "common/file/space.h"

namespace zx {
namespace {

// More directories than this are made durable by one sync of their file system, as at the commit.
constexpr size_t kSyncedAlone = 8;
// Between two looks at the peer, who is told meanwhile what is gone.
constexpr std::chrono::milliseconds kAtOnce{200};
constexpr size_t kMostStaying = 256;

}  // namespace

Deleter::Deleter(const HeldDir& root, Others& others, const DeleteRules& rules)
    : root_(root), others_(others), rules_(rules) {
  if (!others.failure().empty()) fail(others.failure());
}

bool Deleter::is_full() const {
  return gone_.size() >= kMaxDeleted || gone_bytes_ >= kMaxDeletedBytes ||
         staying_.size() >= kMostStaying;
}

bool Deleter::go_on() {
  if (ended_ || result_.failed || others_.empty()) return false;
  try {
    if (!counted_ && rules_.most != UINT64_MAX) count();
    counted_ = true;
    if (result_.failed) return false;
    if (!walk_) walk_.emplace(root_, others_, /*removes=*/!rules_.dry_run, rules_.keep_times);
    for (const auto begun = Clock::now();
         !ended_ && !is_full() && Clock::now() - begun < kAtOnce;) {
      auto step = walk_->next();
      if (!step) {
        ended_ = true;
        sync_the_rest();
        break;
      }
      take(std::move(*step));
    }
  } catch (const Error& error) {
    fail(error.what());
    ended_ = true;
  }
  if (!ended_) return true;
  result_.failed = failures_ > 0;
  if (failures_ > 1) result_.reason += " (and " + std::to_string(failures_ - 1) + " more)";
  return false;
}

// A directory and each name in it count.
void Deleter::count() {
  uint64_t count = 0;
  for (OthersWalk walk(root_, others_, /*removes=*/false, false); const auto step = walk.next();)
    if (step->kind == OthersWalk::Step::Goes)
      ++count;
    else if (step->unknown)
      fail("nothing was deleted: what would go cannot be counted: " + step->why);
  if (count > rules_.most)
    fail("nothing was deleted: " + std::to_string(count) + " names would go, and --max-delete is " +
         std::to_string(rules_.most));
  result_.failed = failures_ > 0;
}

void Deleter::take(OthersWalk::Step step) {
  switch (step.kind) {
    case OthersWalk::Step::Goes:
      return remove(std::move(step));
    case OthersWalk::Step::Stays:
      if (step.failed) fail(step.why);
      return staying_.push_back(std::move(step));
    case OthersWalk::Step::Left:
      return sync(*step.left);
  }
}

void Deleter::remove(OthersWalk::Step step) {
  if (result_.deleted >= rules_.most) {  // something has come since they were counted
    ended_ = true;
    return fail("more names would go than --max-delete allows, which have come meanwhile");
  }
  if (!rules_.dry_run &&
      unlinkat(step.dir, step.name.c_str(), step.directory ? AT_REMOVEDIR : 0) != 0) {
    const int error = errno;
    if (error == ENOENT) return;
    walk_->not_removed();
    step.kind = OthersWalk::Step::Stays;
    step.why = root_.describe(step.path) + ": delete: " + errno_text(error);
    step.failed = true;
    return take(std::move(step));
  }
  ++result_.deleted;
  gone_bytes_ += step.path.size();
  gone_.push_back({std::move(step.path)});
}

// The first cause is told at both ends.
void Deleter::fail(const std::string& why) {
  if (failures_++ == 0) result_.reason = why;
  if (!walk_) result_.failed = true;
}

std::vector<Deleted::Path> Deleter::take_gone() {
  gone_bytes_ = 0;
  return std::exchange(gone_, {});
}

void Deleter::sync(const HeldDir& dir) {
  if (rules_.durability == Durability::None || rules_.dry_run) return;
  Caveats caveats;  // a file system that cannot sync is told with the entries
  if (synced_++ < kSyncedAlone) return dir.sync(caveats);
  struct stat st {};
  if (fstat(dir.fd(), &st) == 0 && !unsynced_.contains(st.st_dev))
    unsynced_.emplace(st.st_dev, dir.walk({}, /*make=*/false));
}

// And one directory by itself, as in batch.cc.
void Deleter::sync_the_rest() {
  Caveats caveats;
  for (const auto& [device, dir] : unsynced_) {
    sync_to_disk(dir.fd(), dir.describe(".") + ": sync the file system", caveats, /*whole=*/true);
    dir.sync(caveats);
  }
}

}  // namespace zx
