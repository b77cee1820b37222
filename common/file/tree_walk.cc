// SPDX-License-Identifier: MIT
#include "common/file/tree_walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "common/base/quote.h"
#include "common/base/stop.h"
#include "common/file/name.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

// With many patterns a name takes milliseconds, and nobody may be silent for long.
constexpr size_t kMostExcluded = 32;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
// O_NONBLOCK: what has come in its place must not hang us.
constexpr int kOpenFile = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

std::string below(const std::string& path, const std::string& name) {
  return path + (path.ends_with('/') ? "" : "/") + name;
}

Error failure_of(const std::string& path, const char* call, int error) {
  // It was there when its name was read.
  if (error == ENOENT)
    return Error(ExitStatus::SourceChanged, quote(path) + ": vanished before it was sent");
  return Error(ExitStatus::FileIo, quote(path) + ": " + call + ": " + errno_text(error));
}

WalkStep failed(std::string name, std::string path, Error error) {
  WalkStep step{WalkStep::Failed, std::move(name), std::move(path)};
  step.failure = std::move(error);
  return step;
}

// Known only where the file system keeps it.
bool is_made_after(int fd, const timespec& time) {
  struct statx st {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_BTIME, &st) != 0 || (st.stx_mask & STATX_BTIME) == 0)
    return false;
  return std::pair<int64_t, int64_t>(st.stx_btime.tv_sec, st.stx_btime.tv_nsec) >
         std::pair<int64_t, int64_t>(time.tv_sec, time.tv_nsec);
}

bool is_link(int dir, const std::string& name) {
  struct stat st {};
  return fstatat(dir, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(st.st_mode);
}

}  // namespace

WalkStep open_file(int dir, const std::string& name, const std::string& shown, bool follow_links) {
  WalkStep step{WalkStep::File, name, shown};
  UniqueFd fd(openat(dir, name.c_str(), kOpenFile | (follow_links ? 0 : O_NOFOLLOW)));
  if (!fd.valid()) {
    const int error = errno;
    const bool leased = error == EAGAIN;
    step = failed(name, shown, leased ? LeasedFile(shown) : failure_of(shown, "open", error));
    step.leased = leased;
    return step;
  }
  try {
    step.file.emplace(std::move(fd), shown);
  } catch (const Error& error) {
    return failed(name, shown, error);
  }
  return step;
}

timespec TreeWalk::now() {
  timespec out{};
  (void)clock_gettime(CLOCK_REALTIME, &out);
  return out;
}

TreeWalk::TreeWalk(UniqueFd root, std::string path, std::string name, const timespec& begun,
                   const WalkRules& rules, const NameList* list)
    : begun_(begun),
      rules_(rules),
      list_(list),
      root_name_(std::move(name)),
      root_path_(std::move(path)),
      root_(std::move(root)) {}

std::optional<WalkStep> TreeWalk::next(HoldBack hold_back) {
  hold_back_ = hold_back;
  if (root_.valid()) {
    std::optional<Listed> listed;
    if (list_ != nullptr && !(rules_.recursive && list_->has_top()))
      listed = Listed{0, list_->size(), 0};
    return enter(std::move(root_), root_name_, root_path_, listed);
  }
  if (levels_.empty()) return std::nullopt;
  Level& level = levels_.back();
  if (!leased_.empty()) return look_at(level, std::exchange(leased_, {}), S_IFREG);
  if (!level.read_to_end)
    if (auto step = level.listed ? take_listed(level) : read_name(level)) return step;
  if (!level.directories.empty()) {
    const std::string name = std::move(level.directories.back());
    level.directories.pop_back();
    return enter_child(level, name, std::nullopt);
  }
  WalkStep up{WalkStep::Up};
  up.path = level.path;
  up.whole = level.whole && !level.failure;
  up.failure = std::move(level.failure);
  levels_.pop_back();
  return up;
}

void TreeWalk::leave() {
  Level& level = levels_.back();
  level.read_to_end = true;
  level.whole = false;
  level.directories.clear();
  leased_.clear();
}

// S_IFDIR and so on; 0 when it cannot be had, because it is gone for instance.
mode_t TreeWalk::type_of(int dir, const char* name, unsigned char told) const {
  if (told != DT_UNKNOWN && !(told == DT_LNK && rules_.follow_links)) return DTTOIF(told);
  struct stat st {};
  const int flags = rules_.follow_links ? 0 : AT_SYMLINK_NOFOLLOW;
  return fstatat(dir, name, &st, flags) == 0 ? st.st_mode & S_IFMT : 0;
}

bool TreeWalk::excludes(const Level& level, const std::string& name, mode_t type) const {
  if (rules_.filters.empty()) return false;
  const std::string path = below(level.path, name);
  const size_t top = root_path_.size() + (root_path_.ends_with('/') ? 0 : 1);
  return rules_.exclude(std::string_view(path).substr(top), type == S_IFDIR);
}

WalkStep TreeWalk::enter(UniqueFd fd, std::string name, std::string path,
                         std::optional<Listed> listed) {
  WalkStep step{WalkStep::Directory, std::move(name), std::move(path)};
  if (fstat(fd.get(), &step.st) != 0)
    return failed(step.name, step.path, failure_of(step.path, "stat", errno));
  DIR* const dir = fdopendir(fd.get());
  if (dir == nullptr) return failed(step.name, step.path, failure_of(step.path, "open", errno));
  Level level{std::shared_ptr<DIR>(dir, closedir), step.path};
  step.directory = fd.release();  // the DIR has it
  level.listed = listed;
  level.device = step.st.st_dev;
  level.inode = step.st.st_ino;
  level.read_to_end =
      rules_.one_file_system && !levels_.empty() && level.device != levels_.front().device;
  level.whole = !level.listed && !level.read_to_end;
  levels_.push_back(std::move(level));
  return step;
}

// Nothing when there are no more names but of directories.
std::optional<WalkStep> TreeWalk::read_name(Level& level) {
  size_t excluded = 0;
  for (;;) {
    check_stop();
    errno = 0;
    const dirent* entry = readdir(level.dir.get());
    if (entry == nullptr) {
      if (errno != 0) level.failure = failure_of(level.path, "read directory", errno);
      level.read_to_end = true;
      return std::nullopt;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    const bool left_out = name.starts_with(kTempPrefix);
    const mode_t type =
        left_out ? 0 : type_of(dirfd(level.dir.get()), entry->d_name, entry->d_type);
    if (excludes(level, name, type)) {
      if (++excluded >= kMostExcluded) return WalkStep{WalkStep::Nothing};
      continue;
    }
    if (type != S_IFDIR) return look_at(level, name, type);
    level.directories.push_back(name);
  }
}

// The next component of the names that are left, with all that is below it. Nothing when there are
// no more.
std::optional<WalkStep> TreeWalk::take_listed(Level& level) {
  size_t excluded = 0;
  while (level.listed->at < level.listed->end) {
    check_stop();
    Listed& rest = *level.listed;
    const std::string_view first = (*list_)[rest.at].substr(rest.skip);
    const std::string name(first.substr(0, first.find('/')));
    const bool itself = name.size() == first.size();  // else only what is below it is wanted
    Listed inner{rest.at + (itself ? 1 : 0), rest.at + 1, rest.skip + name.size() + 1};
    for (const std::string inside = name + "/"; inner.end < rest.end; ++inner.end)
      if (!(*list_)[inner.end].substr(rest.skip).starts_with(inside)) break;
    rest.at = inner.end;
    const bool left_out = name.starts_with(kTempPrefix);
    const int dir = dirfd(level.dir.get());
    const mode_t type = left_out ? 0 : type_of(dir, name.c_str(), DT_UNKNOWN);
    if (excludes(level, name, type)) {
      if (++excluded >= kMostExcluded) return WalkStep{WalkStep::Nothing};
      continue;
    }
    const bool is_file = type != S_IFDIR && (inner.at == inner.end || type == 0);
    if (left_out || is_file) return look_at(level, name, type);
    if (itself && rules_.recursive) return enter_child(level, name, std::nullopt);
    return enter_child(level, name, inner);
  }
  level.read_to_end = true;
  return std::nullopt;
}

// What is no file is not opened: that may wake the writer of a FIFO, or rewind a tape.
WalkStep TreeWalk::look_at(Level& level, const std::string& name, mode_t type) {
  const int dir = dirfd(level.dir.get());
  const std::string path = below(level.path, name);
  const auto fail = [&](const char* why) {
    return failed(name, path, Error(ExitStatus::FileIo, quote(path) + ": " + why));
  };
  if (name.starts_with(kTempPrefix)) {
    WalkStep step = fail("left out: it has the name of a temporary file of zrecv");
    step.kind = WalkStep::LeftOut;
    return step;
  }
  WalkStep step{WalkStep::File, name, path};
  if (type == S_IFLNK) {
    std::array<char, kMaxOperandBytes + 1> target{};
    const ssize_t n = readlinkat(dir, name.c_str(), target.data(), target.size());
    if (n < 0 || fstatat(dir, name.c_str(), &step.st, AT_SYMLINK_NOFOLLOW) != 0)
      return failed(name, path, failure_of(path, "read link", errno));
    if (n == 0 || static_cast<size_t>(n) == target.size())
      return fail("a link whose target cannot be sent");
    step.kind = WalkStep::Symlink;
    step.target.assign(target.data(), static_cast<size_t>(n));
    return step;
  }
  if (type != S_IFREG && type != 0)
    return fail("neither a file nor a directory nor a symbolic link: not sent");
  if (hold_back_ != HoldBack::None &&
      fstatat(dir, name.c_str(), &step.st, rules_.follow_links ? 0 : AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISREG(step.st.st_mode) && (hold_back_ != HoldBack::OneName || step.st.st_nlink == 1)) {
    if (hold_back_ == HoldBack::Readable && faccessat(dir, name.c_str(), R_OK, AT_EACCESS) != 0)
      return failed(name, path, failure_of(path, "open", errno));
    step.in = level.dir;
    return step;
  }
  step = open_file(dir, name, path, rules_.follow_links);
  const bool gone = step.failure && step.failure->status() == ExitStatus::SourceChanged;
  if (gone && rules_.follow_links && is_link(dir, name))
    return fail("a symbolic link that leads nowhere");
  if (gone && level.listed) return fail("is not there");
  return step;
}

WalkStep TreeWalk::enter_child(Level& level, const std::string& name,
                               std::optional<Listed> listed) {
  const std::string path = below(level.path, name);
  const auto fail_by = [&](Error error) {
    WalkStep step = failed(name, path, std::move(error));
    step.st.st_mode = S_IFDIR;
    return step;
  };
  const auto fail = [&](ExitStatus status, const char* why) {
    return fail_by(Error(status, quote(path) + ": " + why));
  };
  if (levels_.size() >= kMaxPathComponents ||
      path.size() - root_path_.size() + kMaxNameBytes >= kMaxTreePathBytes)
    return fail(ExitStatus::FileIo, "more than 1024 directories or 16 KiB deep");
  UniqueFd fd(openat(dirfd(level.dir.get()), name.c_str(),
                     kOpenDirectory | (rules_.follow_links ? 0 : O_NOFOLLOW)));
  if (!fd.valid() && (errno == ENOTDIR || errno == ELOOP)) {
    if (level.listed)
      return fail(ExitStatus::FileIo, "not a directory, and the list has names below it");
    errno = ENOENT;  // what has come in its place
  }
  if (!fd.valid()) return fail_by(failure_of(path, "open directory", errno));
  if (is_made_after(fd.get(), begun_))
    return fail(ExitStatus::SourceChanged, "was made while the directory above was sent");
  if (rules_.follow_links && is_open(fd.get()))
    return fail(ExitStatus::FileIo, "a symbolic link to a directory that it is in: not followed");
  return enter(std::move(fd), name, path, listed);
}

bool TreeWalk::is_open(int fd) const {
  struct stat st {};
  if (fstat(fd, &st) != 0) return false;  // which enter() tells
  return std::ranges::any_of(levels_, [&](const Level& level) {
    return level.device == st.st_dev && level.inode == st.st_ino;
  });
}

}  // namespace zx
