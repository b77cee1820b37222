// SPDX-License-Identifier: MIT
#include "common/file/tree_walk.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

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

// S_IFDIR and so on; 0 when it cannot be had, because it is gone for instance.
mode_t type_of(int dir, const dirent& entry) {
  if (entry.d_type != DT_UNKNOWN) return DTTOIF(entry.d_type);
  struct stat st {};
  return fstatat(dir, entry.d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? st.st_mode & S_IFMT : 0;
}

}  // namespace

timespec TreeWalk::now() {
  timespec out{};
  (void)clock_gettime(CLOCK_REALTIME, &out);
  return out;
}

TreeWalk::TreeWalk(UniqueFd root, std::string path, std::string name, const timespec& begun)
    : begun_(begun),
      root_name_(std::move(name)),
      root_path_(std::move(path)),
      root_(std::move(root)) {}

std::optional<WalkStep> TreeWalk::next() {
  if (root_.valid()) return enter(std::move(root_), root_name_, root_path_);
  if (levels_.empty()) return std::nullopt;
  Level& level = levels_.back();
  if (!leased_.empty()) return look_at(level, std::exchange(leased_, {}), S_IFREG);
  if (!level.read_to_end)
    if (auto step = read_name(level)) return step;
  if (!level.directories.empty()) {
    const std::string name = std::move(level.directories.back());
    level.directories.pop_back();
    return enter_child(level, name);
  }
  WalkStep up{WalkStep::Up};
  up.path = level.path;
  up.failure = std::move(level.failure);
  levels_.pop_back();
  return up;
}

void TreeWalk::leave() {
  Level& level = levels_.back();
  level.read_to_end = true;
  level.directories.clear();
  leased_.clear();
}

WalkStep TreeWalk::enter(UniqueFd fd, std::string name, std::string path) {
  WalkStep step{WalkStep::Directory, std::move(name), std::move(path)};
  if (fstat(fd.get(), &step.st) != 0)
    return failed(step.name, step.path, failure_of(step.path, "stat", errno));
  Level level{std::unique_ptr<DIR, CloseDir>(fdopendir(fd.get())), step.path, {}};
  if (!level.dir) return failed(step.name, step.path, failure_of(step.path, "open", errno));
  (void)fd.release();  // the DIR has it
  levels_.push_back(std::move(level));
  return step;
}

// Nothing when there are no more names but of directories.
std::optional<WalkStep> TreeWalk::read_name(Level& level) {
  for (;;) {
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
    const mode_t type = left_out ? 0 : type_of(dirfd(level.dir.get()), *entry);
    if (type != S_IFDIR) return look_at(level, name, type);
    level.directories.push_back(name);
  }
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
  // O_NONBLOCK: what has come in its place must not hang us.
  UniqueFd fd(openat(dir, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.valid()) {
    const bool leased = errno == EAGAIN;
    WalkStep out = failed(name, path, leased ? LeasedFile(path) : failure_of(path, "open", errno));
    out.leased = leased;
    return out;
  }
  try {
    step.file.emplace(std::move(fd), path);
  } catch (const Error& error) {
    return failed(name, path, error);
  }
  return step;
}

WalkStep TreeWalk::enter_child(Level& level, const std::string& name) {
  const std::string path = below(level.path, name);
  const auto fail = [&](Error error) {
    WalkStep step = failed(name, path, std::move(error));
    step.st.st_mode = S_IFDIR;
    return step;
  };
  if (levels_.size() >= kMaxPathComponents ||
      path.size() - root_path_.size() + kMaxNameBytes >= kMaxTreePathBytes)
    return fail(
        Error(ExitStatus::FileIo, quote(path) + ": more than 1024 directories or 16 KiB deep"));
  UniqueFd fd(openat(dirfd(level.dir.get()), name.c_str(), kOpenDirectory));
  // What has come in its place.
  if (!fd.valid() && (errno == ENOTDIR || errno == ELOOP)) errno = ENOENT;
  if (!fd.valid()) return fail(failure_of(path, "open directory", errno));
  if (is_made_after(fd.get(), begun_))
    return fail(Error(ExitStatus::SourceChanged,
                      quote(path) + ": was made while the directory above was sent"));
  return enter(std::move(fd), name, path);
}

}  // namespace zx
