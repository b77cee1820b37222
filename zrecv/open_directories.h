// SPDX-License-Identifier: MIT
// OpenDirectories: which directories of a tree are open, what is in them, and when one is complete:
// when its END has come and everything in it has been handed to the commit or has failed. Then its
// own commit may follow, which sets the time that its entries would change. Pure accounting.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "zrecv/incoming_entry.h"

namespace zx {

class OpenDirectories {
 public:
  /// How deep a tree may be.
  static constexpr size_t kMost = kMaxPathComponents;

  size_t depth() const { return stack_.size(); }
  bool is_open(uint64_t id) const;
  /// 0 when none is open.
  uint64_t innermost() const { return stack_.empty() ? 0 : stack_.back()->id; }
  /// An entry of the innermost directory begins.
  void begin(uint64_t id);
  /// That entry is a directory, and what comes is in it. No sink: it has its result already.
  void enter(uint64_t id, Verified directory);
  /// Its END. Throws Error{Protocol} when another one is the innermost. Returns what will be
  /// committed, for what END says.
  Verified& end(uint64_t id);
  /// This entry is done, or after end(), this directory has nothing more to come: the directories
  /// that are complete thereby, the innermost first.
  std::vector<Verified> done(uint64_t id);

 private:
  struct Directory {
    uint64_t id = 0;
    Verified verified;
    std::shared_ptr<Directory> parent;
    size_t unsettled = 1;  // entries in it, and its own END
  };

  std::vector<std::shared_ptr<Directory>> stack_;
  std::map<uint64_t, std::shared_ptr<Directory>> parents_;  // of entries that are not done
};

}  // namespace zx
