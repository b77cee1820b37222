// SPDX-License-Identifier: MIT
// OthersWalk, declared in others.h: what would go.
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/stop.h"
#include "common/file/name.h"
#include "common/wire/limits.h"
#include "zrecv/others.h"

namespace zx {
namespace {

// Over a directory, as long as there is something to remove: somebody may make names all the time.
constexpr int kMostPasses = 100;
constexpr int kOpenDirectory = O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

// What can only be done by path, of what is held: chmod(2) of a descriptor with O_PATH.
std::string path_of(int fd) {
  return "/proc/self/fd/" + std::to_string(fd);
}

dev_t device_of(const struct statx& st) {
  return makedev(st.stx_dev_major, st.stx_dev_minor);
}

bool is_mounted(const struct statx& st) {
  return (st.stx_attributes & st.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
}

std::vector<std::string> components_of(const std::string& prefix) {
  std::vector<std::string> out;
  for (const std::string_view part : split_path(prefix))
    if (!part.empty()) out.emplace_back(part);
  return out;
}

}  // namespace

OthersWalk::OthersWalk(const HeldDir& root, Others& others, bool removes, bool keep_times)
    : root_(root), others_(others), removes_(removes), keep_times_(keep_times) {
  (void)statx(root_.fd(), "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &root_st_);
  others_.rewind();
}

OthersWalk::~OthersWalk() {
  for (Level& level : levels_)
    if (level.mode) (void)fchmod(dirfd(level.dir.get()), *level.mode);
  give_back();
}

std::optional<OthersWalk::Step> OthersWalk::next() {
  for (;;) {
    check_stop();
    std::optional<Step> step;
    if (!levels_.empty()) {
      step = next_in(levels_.back());
    } else {
      const auto record = pending_ ? std::exchange(pending_, std::nullopt) : others_.read();
      if (!record) return close_received();
      step = take(*record);
    }
    if (step) return step;
  }
}

void OthersWalk::not_removed() {
  if (!levels_.empty()) levels_.back().stays = true;
}

std::optional<OthersWalk::Step> OthersWalk::take(const Others::Record& record) {
  if (record.kind == Others::Record::Trouble) {
    Step step = stays("", "");
    step.why = record.text;
    return step;
  }
  if (record.kind == Others::Record::Name)  // of one that could not be opened none goes
    return received_
               ? judge(received_->dir.fd(), record.text, received_->prefix + record.text, &record)
               : std::nullopt;
  if (!received_) return open_received(record);
  pending_ = record;  // once more, after the one before
  return close_received();
}

// From the destination on, by names that are no links.
std::optional<OthersWalk::Step> OthersWalk::open_received(const Others::Record& record) {
  const std::vector<std::string> names = components_of(record.text);
  try {
    Received in{root_.walk(names, /*make=*/false), record.text, record.top};
    if (fstat(in.dir.fd(), &in.st) != 0) return stays(record.text, errno_text(errno));
    if (in.st.st_dev != record.device || in.st.st_ino != record.inode)
      return stays(record.text, "was replaced meanwhile, so nothing in it is deleted");
    if (is_elsewhere(in.dir.fd()))
      return stays(record.text,
                   "is in a file system that is mounted there, so nothing in it is deleted");
    received_.emplace(std::move(in));
  } catch (const Error& error) {
    Step step = stays(record.text, "");
    step.why = error.what();
    return step;
  }
  const mode_t mode = received_->st.st_mode & 07777;
  if (removes_ && (mode & S_IRWXU) != S_IRWXU && received_->st.st_uid == geteuid())
    received_->mode_changed = chmod(path_of(received_->dir.fd()).c_str(), mode | S_IRWXU) == 0;
  return std::nullopt;
}

// Another mount than the destination's is of another file system, or shows another part of this
// one.
bool OthersWalk::is_elsewhere(int dir) const {
  struct statx st {};
  return statx(dir, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &st) != 0 ||
         device_of(st) != device_of(root_st_) ||
         ((st.stx_mask & root_st_.stx_mask & STATX_MNT_ID) != 0 &&
          st.stx_mnt_id != root_st_.stx_mnt_id);
}

void OthersWalk::give_back() {
  if (!received_) return;
  const std::string path = path_of(received_->dir.fd());
  if (received_->mode_changed) (void)chmod(path.c_str(), received_->st.st_mode & 07777);
  const timespec times[2] = {{0, UTIME_OMIT}, received_->st.st_mtim};
  // That of the destination itself is its operator's.
  if (received_->any && keep_times_ && !received_->prefix.empty())
    (void)utimensat(AT_FDCWD, path.c_str(), times, 0);
}

std::optional<OthersWalk::Step> OthersWalk::close_received() {
  if (!received_) return std::nullopt;
  give_back();
  Step step{Step::Left};
  step.path = received_->prefix;
  step.left = std::move(received_->dir);
  received_.reset();
  return step;
}

OthersWalk::Step OthersWalk::stays(const std::string& path, const std::string& why) {
  not_removed();
  Step step{Step::Stays};
  step.path = path;
  step.why = root_.describe(path) + ": " + why;
  step.failed = true;
  return step;
}

// A name that would go. Nothing for what is kept, or gone, and for a directory, in which the walk
// goes on.
std::optional<OthersWalk::Step> OthersWalk::judge(int dir, const std::string& name,
                                                  const std::string& path,
                                                  const Others::Record* found) {
  struct statx st {};
  if (statx(dir, name.c_str(), AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &st) != 0)
    return errno == ENOENT ? std::nullopt
                           : std::optional(stays(path, "stat: " + errno_text(errno)));
  const bool directory = S_ISDIR(st.stx_mode);
  const bool temporary = name.starts_with(kTempPrefix);
  if (temporary || others_.keeps(std::string_view(path).substr(received_->top), directory)) {
    if (levels_.empty()) return std::nullopt;
    Step step = stays(path, temporary ? "stays: it has the name of a temporary file of zrecv"
                                      : "stays: it is excluded");
    step.failed = false;
    return step;
  }
  if (found != nullptr && (device_of(st) != found->device || st.stx_ino != found->inode))
    return stays(path, "stays: it has changed meanwhile");
  if (is_mounted(st) || (directory && device_of(st) != received_->st.st_dev))
    return stays(path, "stays: something is mounted there");
  if (directory) return enter(dir, name, path, st);
  (levels_.empty() ? received_->any : levels_.back().any) = true;
  Step step{Step::Goes, name, path, dir};
  return step;
}

std::optional<OthersWalk::Step> OthersWalk::enter(int dir, const std::string& name,
                                                  const std::string& path,
                                                  const struct statx& seen) {
  if (levels_.size() >= kMaxPathComponents || path.size() + kMaxNameBytes >= kMaxDeletedPathBytes)
    return stays(path, "stays: too deep");
  Level level{nullptr, name, path};
  const auto open_it = [&](int flags) {
    return UniqueFd(openat(dir, name.c_str(), flags | kOpenDirectory));
  };
  // It may be another one by now: only the one that was looked at is changed, or read.
  const auto is_it = [&](const UniqueFd& fd) {
    struct statx st {};
    return statx(fd.get(), "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == 0 &&
           st.stx_ino == seen.stx_ino && device_of(st) == device_of(seen) && !is_mounted(st);
  };
  const mode_t mode = seen.stx_mode & 07777;
  if (removes_ && (mode & S_IRWXU) != S_IRWXU && seen.stx_uid == geteuid()) {
    const UniqueFd held = open_it(O_PATH);
    if (held.valid() && is_it(held) && chmod(path_of(held.get()).c_str(), mode | S_IRWXU) == 0)
      level.mode = mode;
  }
  UniqueFd fd(open_to_list(dir, name.c_str(), kOpenDirectory));
  if (!fd.valid() && errno == ENOENT) return std::nullopt;
  if (!fd.valid()) {
    Step step = stays(path, "stays: open directory: " + errno_text(errno));
    step.unknown = !removes_;
    return step;
  }
  if (!is_it(fd)) return stays(path, "stays: it was replaced meanwhile");
  level.dir.reset(fdopendir(fd.get()));
  if (!level.dir) return stays(path, "stays: open directory: " + errno_text(errno));
  (void)fd.release();  // it is the DIR's
  levels_.push_back(std::move(level));
  return std::nullopt;
}

std::optional<OthersWalk::Step> OthersWalk::next_in(Level& level) {
  while (!level.read_to_end) {
    errno = 0;
    const dirent* entry = readdir(level.dir.get());
    if (entry == nullptr) {
      level.read_to_end = true;
      if (errno != 0) return stays(level.path, "stays: read directory: " + errno_text(errno));
      // Names that are removed meanwhile may hide others.
      if (!removes_ || level.stays || !std::exchange(level.any, false) ||
          ++level.passes >= kMostPasses)
        break;
      rewinddir(level.dir.get());
      level.read_to_end = false;
      continue;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    return judge(dirfd(level.dir.get()), name, level.path + "/" + name, nullptr);
  }
  return leave();
}

// All in it is gone, or stays and keeps it.
std::optional<OthersWalk::Step> OthersWalk::leave() {
  Level level = std::move(levels_.back());
  levels_.pop_back();
  if (level.stays) {
    if (level.mode) (void)fchmod(dirfd(level.dir.get()), *level.mode);
    not_removed();
    return std::nullopt;
  }
  (levels_.empty() ? received_->any : levels_.back().any) = true;
  Step step{Step::Goes, level.name, level.path};
  step.dir = levels_.empty() ? received_->dir.fd() : dirfd(levels_.back().dir.get());
  step.directory = true;
  return step;
}

}  // namespace zx
