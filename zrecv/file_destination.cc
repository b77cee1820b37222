// SPDX-License-Identifier: MIT
#include "zrecv/file_destination.h"

#include <stdlib.h>

#include <cerrno>
#include <utility>

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

std::unique_ptr<Sink> FileDestination::sink_for(const EntryInfo& entry) {
  return std::make_unique<FileSink>(target_for(entry), entry);
}

}  // namespace zx
