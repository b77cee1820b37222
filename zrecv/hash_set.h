// SPDX-License-Identifier: MIT
// HashSet: 64-bit numbers, of which there may be as many as names in a directory: 11 to 22 bytes
// each, where std::unordered_set takes 45.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace zx {

class HashSet {
 public:
  /// False when it is there already.
  bool insert(uint64_t number) {
    if (number == 0) return !std::exchange(has_zero_, true);
    if (used_ >= slots_.size() / 4 * 3) grow();
    uint64_t& slot = slots_[find(number)];
    if (slot == number) return false;
    slot = number;
    ++used_;
    return true;
  }
  bool contains(uint64_t number) const {
    if (number == 0) return has_zero_;
    return !slots_.empty() && slots_[find(number)] == number;
  }

  size_t size() const { return used_ + (has_zero_ ? 1 : 0); }

 private:
  // Where it is, or would be: there is always a free slot, which is 0.
  size_t find(uint64_t number) const {
    // Numbers that are close together spread all the same.
    const int bits = std::countr_zero(slots_.size());
    auto at = static_cast<size_t>((number * 0x9e3779b97f4a7c15) >> (64 - bits));
    while (slots_[at] != 0 && slots_[at] != number) at = (at + 1) % slots_.size();
    return at;
  }
  void grow() {
    std::vector<uint64_t> old(slots_.empty() ? 8 : 2 * slots_.size());
    old.swap(slots_);
    for (const uint64_t number : old)
      if (number != 0) slots_[find(number)] = number;
  }

  std::vector<uint64_t> slots_;  // a power of two
  size_t used_ = 0;
  bool has_zero_ = false;
};

}  // namespace zx
