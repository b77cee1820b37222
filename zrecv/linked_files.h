// SPDX-License-Identifier: MIT
// LinkedFiles: where the files are that have been committed in this run and get further names.
// Thread-safe. No directory stays open for that: it is walked to again, from the destination and
// without following a link, and what is found there must be the same file.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "common/file/temp_file.h"
#include "zrecv/file_sink.h"

namespace zx {

class LinkedFiles {
 public:
  /// Names are below `root`.
  explicit LinkedFiles(std::shared_ptr<TargetDir> root) : root_(std::move(root)) {}

  /// The entry is this file, of this name below the root.
  void add(uint64_t id, const std::string& name, const struct stat& file);
  /// Whether `file` is it.
  bool is_it(uint64_t id, const struct stat& file) const;
  /// Another name for it in `dir`, still a temporary one; nothing when it is not known. Throws
  /// Error{FileIo}.
  void link_into(std::optional<TempFile>& temp, uint64_t id, const HeldDir& dir,
                 const std::string& final_name) const;
  /// No further names come.
  void drop(uint64_t id);
  /// The same, but some may still be with the commit: it goes only when there is no room for
  /// others.
  void drop_when_full(uint64_t id);

 private:
  struct Place {
    std::string name;
    // The number of its inode may be another file's by now; that of who has put one in its place
    // has another owner.
    dev_t device = 0;
    ino_t inode = 0;
    uid_t owner = 0;
    off_t size = 0;
    timespec mtime{};

    bool is(const struct stat& file) const;
  };

  void erase_locked(uint64_t id);

  const std::shared_ptr<TargetDir> root_;
  mutable std::mutex mutex_;
  std::set<uint64_t> unwanted_;  // of drop_when_full()
  std::map<uint64_t, Place> places_;
  size_t bytes_ = 0;  // of these
};

}  // namespace zx
