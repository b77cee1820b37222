// SPDX-License-Identifier: MIT
// SourceCursor: what is to be sent, one source after another, and of a directory one name after
// another. Each is opened when its turn comes, so that the number of them does not count against
// the limit on open files.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "common/base/wait.h"
#include "common/file/source_file.h"
#include "common/file/tree_walk.h"
#include "zsend/options.h"
#include "zsend/pipe_source.h"

namespace zx {

/// One of them, open or held back: a step of a tree, which a file by itself is too; or a pipe (not
/// owned). When it is leased next() is to be asked again in a moment.
struct SourceEntry : WalkStep {
  PipeSource* pipe = nullptr;

  bool held_back() const { return kind == File && !file && pipe == nullptr; }
  const struct stat& stat_of_file() const { return file ? file->stat_at_open() : st; }
};

/// A file that is held back, until it is opened.
struct HeldBack {
  std::shared_ptr<DIR> in;  // none for one of the command line
  std::string name;         // as in its step
  uint64_t directory = 0;   // the entry that it is in; 0: none
  std::optional<Clock::time_point> lease_limit = {};
};

class SourceCursor {
 public:
  /// The sources of the command line. Looks at each of them: what cannot be read is found before
  /// anyone is bothered. Throws Error when none can be.
  explicit SourceCursor(const SendOptions& options);
  /// Files of this machine that the operator named over ssh: whatever their names, they are
  /// wanted. patience: as --timeout. `below`: only what is in there.
  SourceCursor(const std::vector<std::string>& paths, WalkRules rules,
               std::chrono::seconds patience, std::optional<HeldDir> below);

  /// Only the one of this name. Throws Error{Refused} when there is none.
  void keep_only(const std::vector<std::string>& name);
  /// Before anything is sent: what the receiver does not want. `sources`: of these too. Throws
  /// Error{Refused} when nothing is left.
  void narrow(Filter filter, bool one_file_system, bool sources);
  /// In order; what each will be called.
  std::vector<std::string> names() const;
  size_t count() const { return sources_.size(); }
  /// Nobody knows how many entries come of these.
  bool has_directories() const;
  /// More than one entry may come.
  bool several() const { return count() > 1 || has_directories(); }
  /// All that will be sent, as far as somebody knows; nothing when nobody does.
  std::optional<uint64_t> total_bytes() const;
  /// Of these, what several connections can share.
  uint64_t file_bytes() const;

  /// The next one, opened now or held back; nothing after the last. The cursor keeps the pipe. Of
  /// the command line every file can be held back: it was opened, for its size, and is closed.
  std::optional<SourceEntry> next(HoldBack hold_back = HoldBack::None);
  /// One that was held back; `path` as in its step. When it is leased this is to be called again.
  SourceEntry open(HeldBack& held, const std::string& path);
  /// Nothing more of the directory that was entered last: its end is next.
  void leave() { walk_->leave(); }

 private:
  struct Source {
    std::string name, path;
    uint64_t bytes = 0;  // when it was looked at
    bool standard_input = false;
    bool directory = false;
    std::unique_ptr<PipeSource> pipe = nullptr;
    std::optional<Error> failure = {};
  };

  bool is_worth_waiting(std::optional<Clock::time_point>& limit) const;
  SourceFile open(const std::string& path) const;
  void add_list(const SendOptions& options);
  void add_file(const std::string& path);
  UniqueFd open_directory(const std::string& path) const;
  bool is_directory(const std::string& path) const;
  void add_standard_input(const PipeSource::Label& label);
  void require_one() const;

  WalkRules rules_;
  std::optional<NameList> list_;   // of the only source
  std::optional<timespec> begun_;  // when the first directory was entered
  std::optional<HeldDir> below_;
  std::vector<Source> sources_;
  const std::chrono::seconds patience_;
  size_t next_ = 0;
  std::optional<TreeWalk> walk_;  // of the source before next_, as long as there is more of it
  std::optional<Clock::time_point> lease_limit_;  // of the next one
};

}  // namespace zx
