// SPDX-License-Identifier: MIT
#include "zrecv/destination.h"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/file/operator_file.h"
#include "zrecv/file_sink.h"

namespace zx {
namespace {

std::string parent_of(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// The operator's own symbolic link to a file means that file, as for cp and scp: the rename must
// replace what it points to, not the link.
std::string resolve_final_link(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0 || !S_ISLNK(st.st_mode)) return path;
  refuse_foreign_link(path, "destination");
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  if (!real) throw_file_errno(quote(path) + ": follow the symbolic link", errno);
  return real.get();
}

}  // namespace

FileDestination::FileDestination(const std::string& path, bool no_target_directory) {
  struct stat st {};
  const bool exists = stat(path.c_str(), &st) == 0;
  if (!exists && errno != ENOENT) throw_file_errno(quote(path), errno);
  const bool directory = exists && S_ISDIR(st.st_mode);
  if (directory && no_target_directory)
    throw Error(ExitStatus::FileIo, quote(path) + ": is a directory, and -T was given");
  if (directory) {
    dir_ = std::make_unique<HeldDir>(HeldDir::open_operator_path(path));
    return;
  }
  if (path.ends_with('/'))
    throw Error(ExitStatus::FileIo,
                quote(path) + ": " + (exists ? "not a directory" : "no such directory"));
  if (exists && S_ISBLK(st.st_mode))
    throw Error(ExitStatus::FileIo,
                quote(path) + ": is a block device; only --inplace writes into one");
  if (exists && !S_ISREG(st.st_mode))
    throw Error(ExitStatus::FileIo, quote(path) + ": neither a regular file nor a directory");
  const std::string real = resolve_final_link(path);
  fixed_name_ = base_name(real);
  check_component(fixed_name_);
  dir_ = std::make_unique<HeldDir>(HeldDir::open_operator_path(parent_of(real)));
}

void FileDestination::aim(const Negotiated& agreed, bool pull) {
  aim(pull ? std::vector<std::string>{} : agreed.path, agreed.path_is_directory,
      agreed.no_target_directory);
}

void FileDestination::aim(const std::vector<std::string>& path, bool path_is_directory,
                          bool no_target_directory) {
  if (path.empty()) {
    if (no_target_directory && fixed_name_.empty())
      throw Error(ExitStatus::FileIo,
                  quote(dir_->path()) + ": is a directory, and the peer asked for -T");
    return;
  }
  check_path(path);
  if (!fixed_name_.empty())
    throw Error(ExitStatus::Refused, "the peer named " + quote(join_path(path)) +
                                         ", but this side receives one file, " +
                                         quote(fixed_name_));
  for (size_t i = 0; i + 1 < path.size(); ++i) {
    auto child = dir_->open_child(path[i]);
    if (!child)
      throw Error(ExitStatus::FileIo,
                  dir_->describe(path[i]) + ": no such directory below the root");
    *dir_ = std::move(*child);
  }
  const std::string& last = path.back();
  auto child = dir_->open_child(last);
  if (child && no_target_directory)
    throw Error(ExitStatus::FileIo, dir_->describe(last) + ": is a directory, and -T was given");
  if (child) {
    *dir_ = std::move(*child);
    return;
  }
  if (path_is_directory)
    throw Error(ExitStatus::FileIo, dir_->describe(last) + ": no such directory below the root");
  fixed_name_ = last;
}

Target FileDestination::target_for(const EntryInfo& entry) {
  check_entry_name(entry);
  if (!fixed_name_.empty() && std::exchange(fixed_name_taken_, true))
    throw Error(ExitStatus::Refused,
                quote(fixed_name_) + ": several sources need a directory as destination");
  Target target;
  target.dir = dir_.get();
  target.name = fixed_name_.empty() ? entry.name[0] : fixed_name_;
  return target;
}

void check_entry_name(const EntryInfo& entry) {
  check_path(entry.name);
  // Trees come later; a name of several components would need directories made.
  if (entry.name.size() != 1)
    throw Error(ExitStatus::Refused, "unsafe name " + quote(join_path(entry.name)) +
                                         ": a path where a name was expected");
}

std::unique_ptr<EntrySink> FileDestination::sink_for(const EntryInfo& entry) {
  return std::make_unique<FileSink>(target_for(entry), entry);
}

Existing decide_existing(Overwrite here, Overwrite peer, const struct stat& existing,
                         const EntryInfo& entry) {
  const auto one = [&](Overwrite rule) {
    const auto time = std::pair(static_cast<int64_t>(existing.st_mtim.tv_sec),
                                static_cast<uint32_t>(existing.st_mtim.tv_nsec));
    const auto entry_time = std::pair(entry.mtime_sec, entry.mtime_nsec);
    switch (rule) {
      case Overwrite::Never:
        return Existing::Refuse;
      case Overwrite::Older:
        return time < entry_time ? Existing::Replace : Existing::Skip;
      case Overwrite::Differ:
        return entry.open_ended || static_cast<uint64_t>(existing.st_size) != entry.size ||
                       time != entry_time
                   ? Existing::Replace
                   : Existing::Skip;
      case Overwrite::Unset:
      case Overwrite::Always:
        break;
    }
    return Existing::Replace;
  };
  return std::max(one(here), one(peer));
}

bool may_replace(const Negotiated& agreed, const struct stat& existing, const EntryInfo& entry,
                 const std::string& shown) {
  const Existing rule =
      decide_existing(agreed.overwrite_here, agreed.overwrite_peer, existing, entry);
  if (rule == Existing::Refuse) throw Error(ExitStatus::Refused, shown + ": exists already");
  return rule == Existing::Replace;
}

}  // namespace zx
