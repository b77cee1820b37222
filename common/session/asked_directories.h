// SPDX-License-Identifier: MIT
// AskedDirectories: directories with files that the sender has asked about and that have not come.
// Each holds a descriptor at both ends, and at the receiver so does each that it is in: they count
// with their depth. Both ends keep this account, the one to wait, the other to judge. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace zx {

class AskedDirectories {
 public:
  /// most: of all depths together, but for a single directory.
  explicit AskedDirectories(size_t most) : most_(most) {}

  /// Whether one more file of this directory, so deep, may ask. 0: it is in none.
  bool has_room(uint64_t directory, size_t depth) const {
    return held_ == 0 || directories_.contains(directory) || held_ + depth <= most_;
  }
  void add(uint64_t directory, size_t depth) {
    const auto [at, first] = directories_.try_emplace(directory, Files{0, depth});
    if (first) held_ += depth;
    ++at->second.count;
  }
  /// One of its files has come, or does not.
  void remove(uint64_t directory) {
    const auto at = directories_.find(directory);
    if (--at->second.count > 0) return;
    held_ -= at->second.depth;
    directories_.erase(at);
  }

 private:
  struct Files {
    size_t count, depth;
  };
  const size_t most_;
  std::map<uint64_t, Files> directories_;
  size_t held_ = 0;
};

}  // namespace zx
