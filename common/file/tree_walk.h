// SPDX-License-Identifier: MIT
// TreeWalk: what is below a directory of this machine, depth first, and one step at a time: nothing
// is listed ahead, so that memory is bounded by the depth and by the subdirectories of the
// directories that are open. In each directory come first what is no directory, in the file
// system's own order, then its directories. Or only what a list names, in its order, with the
// directories on the way there.
//
// Every name that was read and is not excluded has exactly one step; what cannot be sent is one
// too. Symbolic links are followed only when the rules say so.
//
// A file can be held back: it is only looked at then, and opened later by open_file(), in a
// directory that stays open as long as somebody has it.
#pragma once

#include <dirent.h>
#include <sys/stat.h>
#include <time.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/file/name_list.h"
#include "common/file/source_file.h"
#include "common/file/walk_rules.h"

namespace zx {

/// Files that are not opened yet: none; those that have one name; all; all that could be: what may
/// not be read fails.
enum class HoldBack { None, OneName, All, Readable };

/// A name, or the end of a directory. Or Nothing, after many names that are excluded: the next step
/// is still to come.
struct WalkStep {
  enum Kind { File, Directory, Symlink, Up, Failed, LeftOut, Nothing } kind = Failed;
  std::string name = {};    // one component; of Up, and of a root that is not to be named, empty
  std::string path = {};    // for messages
  struct stat st = {};      // but of Up, LeftOut and an open file, as far as it is known
  std::string target = {};  // of Symlink
  std::optional<SourceFile> file = {};
  std::shared_ptr<DIR> in = {};  // of a file that is held back: its directory
  int directory = -1;            // of Directory, until the next step: its descriptor
  // Of Failed, and of Up when the directory could not be read to its end. With the status
  // SourceChanged it is gone meanwhile. Of LeftOut, why no receiver would take it.
  std::optional<Error> failure = {};
  // Failed so far: another process has a lease on the file, which it was told to give up.
  bool leased = false;
  // Of Up: every name in it had a step, but those that are excluded or left out.
  bool whole = false;
};

/// A file of this name. `shown`: for messages. One that is leased, or cannot be opened, is the
/// step.
WalkStep open_file(int dir, const std::string& name, const std::string& shown, bool follow_links);

class TreeWalk {
 public:
  /// An open directory, which messages call `path`. `name`: what the first step calls it; empty
  /// when only what is below it has names. A directory below that was made after `begun` is not
  /// walked: a tree that is received into itself would never end. `list`: only these. Rules and
  /// list must outlive it.
  TreeWalk(UniqueFd root, std::string path, std::string name, const timespec& begun,
           const WalkRules& rules, const NameList* list = nullptr);

  /// Now. What file systems write down is up to a tick of the kernel (10 ms) behind it.
  static timespec now();

  /// The next one, opened or held back; nothing after the Up of the root. Blocking.
  std::optional<WalkStep> next(HoldBack hold_back = HoldBack::None);
  /// After a step that is leased: the same name is next once more.
  void again(const std::string& name) { leased_ = name; }
  /// Nothing more of the directory that is open now: its Up is next.
  void leave();

 private:
  // Names of the list that have the same directories before them.
  struct Listed {
    size_t at, end;  // those that are left
    size_t skip;     // bytes of each that lead to this directory, with the slash
  };
  struct Level {
    std::shared_ptr<DIR> dir;
    std::string path;
    std::vector<std::string> directories = {};  // met, to be entered when all names are read
    std::optional<Listed> listed = {};          // instead of what is in it
    bool read_to_end = false;
    bool whole = true;
    std::optional<Error> failure = {};
    dev_t device = 0;
    ino_t inode = 0;
  };

  bool is_open(int fd) const;
  bool excludes(const Level& level, const std::string& name, mode_t type) const;
  mode_t type_of(int dir, const char* name, unsigned char told) const;
  WalkStep enter(UniqueFd fd, std::string name, std::string path, std::optional<Listed> listed);
  std::optional<WalkStep> read_name(Level& level);
  std::optional<WalkStep> take_listed(Level& level);
  WalkStep look_at(Level& level, const std::string& name, mode_t type);
  WalkStep enter_child(Level& level, const std::string& name, std::optional<Listed> listed);

  const timespec begun_;
  const WalkRules& rules_;
  const NameList* const list_;
  std::string root_name_, root_path_;
  UniqueFd root_;  // until it is entered
  std::string leased_;
  HoldBack hold_back_ = HoldBack::None;  // of the present next()
  std::vector<Level> levels_;
};

}  // namespace zx
