// SPDX-License-Identifier: MIT
// What of a directory is walked, and as what it is told.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "common/file/filter.h"

namespace zx {

struct WalkRules {
  bool recursive = false;            // -r
  bool follow_links = false;         // -L: what a symbolic link leads to in its place
  bool one_file_system = false;      // -x: a directory of another device is empty
  std::vector<Filter> filters = {};  // a name that one of them excludes is not told

  bool exclude(std::string_view path, bool directory) const {
    return std::ranges::any_of(filters,
                               [&](const Filter& f) { return f.excludes(path, directory); });
  }
  bool exclude_source(std::string_view name, bool directory) const {
    return std::ranges::any_of(filters,
                               [&](const Filter& f) { return f.excludes_source(name, directory); });
  }
};

}  // namespace zx
