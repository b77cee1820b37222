// SPDX-License-Identifier: MIT
// CoveredRanges: which parts of an entry have come, in any order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace zx {

class CoveredRanges {
 public:
  /// False, and nothing changes, when [begin, end) is empty or touches what is covered.
  bool add(uint64_t begin, uint64_t end);
  /// Takes [begin, end) out again; all of it must be covered.
  void remove(uint64_t begin, uint64_t end);
  /// Everything before this is covered.
  uint64_t contiguous_end() const;
  /// Ranges with a gap between them.
  size_t count() const { return ranges_.size(); }

 private:
  std::map<uint64_t, uint64_t> ranges_;  // begin -> end; neither touch nor overlap
};

}  // namespace zx
