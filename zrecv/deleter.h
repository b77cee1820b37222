// SPDX-License-Identifier: MIT
// Deleter: --delete. Removes what OthersWalk (others.h) says, after everything else went well, and
// keeps account of it. If more than --max-delete would go nothing does.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "common/base/caveat.h"
#include "common/wire/message.h"
#include "zrecv/others.h"

namespace zx {

struct DeleteRules {
  uint64_t most = UINT64_MAX;  // names
  Durability durability = Durability::None;
  bool keep_times = false;  // of directories that something is removed from
  bool dry_run = false;     // only what would go is found
};

class Deleter {
 public:
  /// Both must outlive it.
  Deleter(const HeldDir& root, Others& others, const DeleteRules& rules);

  /// Removes as many names as fit one message, or for a moment. False when there are no more.
  /// Blocking; a stop signal ends it between two names.
  bool go_on();
  /// What is gone since the last call, and has to be told.
  std::vector<Deleted::Path> take_gone();
  /// What was found to stay since the last call.
  std::vector<OthersWalk::Step> take_staying() { return std::exchange(staying_, {}); }
  /// After that.
  const Deletion& result() const { return result_; }

 private:
  bool is_full() const;
  void count();
  void take(OthersWalk::Step step);
  void remove(OthersWalk::Step step);
  void fail(const std::string& why);
  void sync(const HeldDir& dir);
  void sync_the_rest();

  const HeldDir& root_;
  Others& others_;
  const DeleteRules rules_;
  std::optional<OthersWalk> walk_;
  bool counted_ = false, ended_ = false;
  uint64_t failures_ = 0;
  Deletion result_;
  std::vector<Deleted::Path> gone_;
  size_t gone_bytes_ = 0;
  std::vector<OthersWalk::Step> staying_;
  size_t synced_ = 0;  // directories, each by itself
  std::map<dev_t, HeldDir> unsynced_;
};

}  // namespace zx
