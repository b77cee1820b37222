// SPDX-License-Identifier: MIT
// HardLinks: which files with several names this run has sent, so that their other names are sent
// as links to the first. Only those are known here whose other names are still to come.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <map>
#include <optional>
#include <utility>

namespace zx {

class HardLinks {
 public:
  /// The entry that this file was sent as, under another name; 0 when it was not, or has changed
  /// since. What only its inode number says is not believed: that may be another file's by now.
  uint64_t first_of(const struct stat& file) const;
  /// Its next name is sent as a link. Whether more of them are to come.
  bool add_name(const struct stat& file);
  /// It is sent as this entry. Whether links to it may follow: not when there are too many files
  /// with several names.
  bool add_first(const struct stat& file, uint64_t id);
  /// This entry is not at the receiver: the next name is the first again.
  void forget(uint64_t id);

 private:
  using Key = std::pair<dev_t, ino_t>;
  struct First {
    uint64_t id = 0;
    nlink_t to_come = 0;
    off_t size = 0;
    timespec mtime{};
  };

  std::map<Key, First> firsts_;
  std::map<uint64_t, Key> keys_;  // by id
  // As many as the receiver knows: it keeps those that have failed.
  size_t at_receiver_ = 0;
};

}  // namespace zx
