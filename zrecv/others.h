// SPDX-License-Identifier: MIT
// Others: the names in directories that were received whole which their source does not have, and
// what of them would go with --delete, which is decided here alone. Nothing is removed here.
//
// They wait in a file without a name, so that memory does not grow with their number: first each
// directory's own are remembered when it is committed, then OthersWalk goes through all that is in
// them. What is there by then under another inode is not what was found, and stays.
#pragma once

#include <dirent.h>
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/file/filter.h"
#include "common/file/held_dir.h"
#include "zrecv/name_filter.h"

namespace zx {

class Others {
 public:
  /// What one of these excludes is kept, with all that is in it. dry_run: what was told is not
  /// there yet.
  Others(std::vector<Filter> kept, bool dry_run) : kept_(std::move(kept)), dry_run_(dry_run) {}

  /// Remembers what is in `dir` and not among `told`. `prefix`: of names in it, below the
  /// destination, "" or "a/b/"; `top`: bytes of that which lead to the top of the source. One
  /// thread at a time. What goes wrong is found by OthersWalk, or by failure().
  void look(const HeldDir& dir, const std::string& prefix, size_t top, const NameSet& told);
  /// There is nothing.
  bool empty() const { return end_ == 0; }
  /// Why they are not all known; "" when they are.
  const std::string& failure() const { return failure_; }
  /// `path`: below the top of the source.
  bool keeps(std::string_view path, bool directory) const;

  /// In the order in which they were remembered: a directory, and then what is in it; or why that
  /// is not known.
  struct Record {
    enum Kind : uint8_t { Directory, Name, Trouble } kind = Name;
    std::string text = {};  // the prefix, the name, or a message
    uint64_t device = 0, inode = 0;
    uint64_t top = 0;
  };
  /// Throws Error when they could not all be remembered.
  void rewind();
  std::optional<Record> read();

 private:
  void write(const Record& record);

  struct Close {
    void operator()(FILE* file) const { (void)fclose(file); }
  };
  const std::vector<Filter> kept_;
  const bool dry_run_;
  std::unique_ptr<FILE, Close> file_;
  off_t at_ = 0, end_ = 0;
  std::string failure_;
};

class OthersWalk {
 public:
  /// `removes`: each name is gone before the next one is asked for, or was said to stay; modes are
  /// changed for that, and the times of directories that stay are kept if `keep_times`. Both must
  /// outlive it.
  OthersWalk(const HeldDir& root, Others& others, bool removes, bool keep_times);
  ~OthersWalk();

  struct Step {
    enum Kind { Goes, Stays, Left } kind = Goes;
    std::string name = {};
    std::string path = {};  // below the destination
    int dir = -1;           // Goes: what it is in
    bool directory = false;
    std::string why = {};              // Stays: with its name, quoted
    bool failed = false;               // Stays, although it should go
    bool unknown = false;              // Stays, so far: what is in it cannot be seen yet
    std::optional<HeldDir> left = {};  // Left: of this directory no more names go
  };
  /// What is in a directory comes before itself. Looks for a stop signal first. Nothing after the
  /// last one.
  std::optional<Step> next();
  /// The last one could not be removed: so what it is in stays too.
  void not_removed();

 private:
  struct CloseDir {
    void operator()(DIR* dir) const { (void)closedir(dir); }
  };
  struct Level {
    std::unique_ptr<DIR, CloseDir> dir;
    std::string name, path;
    std::optional<mode_t> mode = {};  // to be given back if it stays
    bool stays = false, any = false, read_to_end = false;
    int passes = 0;
  };
  // A directory that was received.
  struct Received {
    HeldDir dir;
    std::string prefix;
    uint64_t top = 0;
    struct stat st {};
    bool mode_changed = false, any = false;
  };

  std::optional<Step> take(const Others::Record& record);
  std::optional<Step> next_in(Level& level);
  std::optional<Step> open_received(const Others::Record& record);
  std::optional<Step> close_received();
  void give_back();
  std::optional<Step> judge(int dir, const std::string& name, const std::string& path,
                            const Others::Record* found);
  std::optional<Step> enter(int dir, const std::string& name, const std::string& path,
                            const struct statx& seen);
  std::optional<Step> leave();
  Step stays(const std::string& path, const std::string& why);
  bool is_elsewhere(int dir) const;

  const HeldDir& root_;
  Others& others_;
  const bool removes_, keep_times_;
  struct statx root_st_ {};
  std::optional<Others::Record> pending_;
  std::optional<Received> received_;
  std::vector<Level> levels_;
};

}  // namespace zx
