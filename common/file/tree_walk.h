// SPDX-License-Identifier: MIT
// TreeWalk: what is below a directory of this machine, depth first, without following symbolic
// links, and one step at a time: nothing is listed ahead, so that memory is bounded by the depth
// and by the subdirectories of the directories that are open. In each directory come first what is
// no directory, in the file system's own order, then its directories.
//
// Every name that was read has exactly one step; what cannot be sent is one too.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/file/source_file.h"

namespace zx {

/// A name, or the end of a directory.
struct WalkStep {
  enum Kind { File, Directory, Symlink, Up, Failed, LeftOut } kind = Failed;
  std::string name = {};    // one component; of Up, and of a root that is not to be named, empty
  std::string path = {};    // for messages
  struct stat st = {};      // but of Up and LeftOut, as far as it is known
  std::string target = {};  // of Symlink
  std::optional<SourceFile> file = {};
  // Of Failed, and of Up when the directory could not be read to its end. With the status
  // SourceChanged it is gone meanwhile. Of LeftOut, why no receiver would take it.
  std::optional<Error> failure = {};
  // Failed so far: another process has a lease on the file, which it was told to give up.
  bool leased = false;
};

class TreeWalk {
 public:
  /// An open directory, which messages call `path`. `name`: what the first step calls it; empty
  /// when only what is below it has names. A directory below that was made after `begun` is not
  /// walked: a tree that is received into itself would never end.
  TreeWalk(UniqueFd root, std::string path, std::string name, const timespec& begun);

  /// Now. What file systems write down is up to a tick of the kernel (10 ms) behind it.
  static timespec now();

  /// The next one, opened; nothing after the Up of the root. Blocking.
  std::optional<WalkStep> next();
  /// After a step that is leased: the same name is next once more.
  void again(const std::string& name) { leased_ = name; }
  /// Nothing more of the directory that is open now: its Up is next.
  void leave();

 private:
  struct CloseDir {
    void operator()(DIR* dir) const { (void)closedir(dir); }
  };
  struct Level {
    std::unique_ptr<DIR, CloseDir> dir;
    std::string path;
    std::vector<std::string> directories;  // met, to be entered when all names are read
    bool read_to_end = false;
    std::optional<Error> failure = {};
  };

  WalkStep enter(UniqueFd fd, std::string name, std::string path);
  std::optional<WalkStep> read_name(Level& level);
  WalkStep look_at(Level& level, const std::string& name, mode_t type);
  WalkStep enter_child(Level& level, const std::string& name);

  const timespec begun_;
  std::string root_name_, root_path_;
  UniqueFd root_;  // until it is entered
  std::string leased_;
  std::vector<Level> levels_;
};

}  // namespace zx
