// SPDX-License-Identifier: MIT
// The sinks of entries that get a name in a directory at the commit: a file, a symbolic link, a
// directory; and what they know of the directory they go into.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/file/held_dir.h"
#include "common/file/take_over.h"
#include "zrecv/hash_set.h"
#include "zrecv/keeping.h"
#include "zrecv/sink.h"

namespace zx {

/// What a run has made in one directory so far. Thread-safe.
class RunFiles {
 public:
  void add(const struct stat& file);
  bool contains(const struct stat& file) const;

  std::atomic<bool> can_appear{false};  // TempFile::check_can_appear() has said so

 private:
  mutable std::mutex mutex_;
  HashSet made_;
};

/// A directory that entries go into, as long as one of them needs it.
struct TargetDir {
  explicit TargetDir(HeldDir d, std::string p = "") : dir(std::move(d)), prefix(std::move(p)) {}

  HeldDir dir;
  const std::string prefix;  // of the names in it, below the destination: "" or "a/b/"
  size_t top = 0;            // bytes of it that lead to the top of its source
  RunFiles files;
  // This run has made it, and nobody else may write to it before it is done: what is in it is ours.
  bool ours_alone = false;
  /// See zx::most_bits_of_new(); asked once.
  mode_t most_bits_of_new() {
    int bits = bits_of_new;
    if (bits < 0) bits_of_new = bits = static_cast<int>(zx::most_bits_of_new(dir));
    return static_cast<mode_t>(bits);
  }
  std::atomic<int> bits_of_new{-1};
  // Why nothing can come into it, until it has been made.
  std::optional<Error> failure;

  /// In a dry run: it is not there, and would be made.
  bool is_absent() const { return dir.fd() < 0; }
  /// 0, or the errno of who makes a file there. Asked once.
  int why_not_writable();
  /// Whatever its mode says now.
  void will_be_writable() { why_not_writable_ = 0; }

 private:
  std::optional<int> why_not_writable_;
};

/// Where one entry goes.
struct Target {
  std::shared_ptr<TargetDir> parent;
  std::string name;  // one safe component; of a directory also none: the parent itself

  const HeldDir& dir() const { return parent->dir; }
  std::string relative() const { return parent->prefix + name; }
};

class LinkedFiles;
class Others;

/// The attributes of `info` are in `metadata`.
std::unique_ptr<Sink> make_file_sink(Target target, const EntryInfo& info, Metadata metadata,
                                     std::shared_ptr<LinkedFiles> links);
std::unique_ptr<Sink> make_hard_link_sink(Target target, const EntryInfo& info, Metadata metadata,
                                          std::shared_ptr<LinkedFiles> links);
std::unique_ptr<Sink> make_symlink_sink(Target target, const EntryInfo& info, Metadata metadata);
/// `self` is what open() opens: the directory that entries go into from here on. `others`: what
/// --delete is about, or null.
std::unique_ptr<Sink> make_directory_sink(Target target, Metadata metadata,
                                          std::shared_ptr<TargetDir> self,
                                          std::shared_ptr<Others> others);

}  // namespace zx
