// SPDX-License-Identifier: MIT
#include "zrecv/covered_ranges.h"

#include <iterator>

namespace zx {

bool CoveredRanges::add(uint64_t begin, uint64_t end) {
  if (begin >= end) return false;
  auto after = ranges_.lower_bound(begin);
  auto before = after == ranges_.begin() ? ranges_.end() : std::prev(after);
  if (after != ranges_.end() && after->first < end) return false;
  if (before != ranges_.end() && before->second > begin) return false;
  if (after != ranges_.end() && after->first == end) {
    end = after->second;
    ranges_.erase(after);
  }
  if (before != ranges_.end() && before->second == begin)
    before->second = end;
  else
    ranges_.emplace(begin, end);
  return true;
}

void CoveredRanges::remove(uint64_t begin, uint64_t end) {
  const auto range = std::prev(ranges_.upper_bound(begin));
  const auto [range_begin, range_end] = *range;
  if (range_begin < begin)
    range->second = begin;
  else
    ranges_.erase(range);
  if (end < range_end) ranges_.emplace(end, range_end);
}

uint64_t CoveredRanges::contiguous_end() const {
  return ranges_.empty() || ranges_.begin()->first > 0 ? 0 : ranges_.begin()->second;
}

}  // namespace zx
