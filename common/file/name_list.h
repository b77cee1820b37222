// SPDX-License-Identifier: MIT
// NameList: the names of --files-from, which are below one directory; in order, each once, those
// below a directory behind it. In memory as a whole, since only then each directory is entered once
// in whatever order they came: their bytes, and 5 more each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zx {

class NameList {
 public:
  /// From a file, or standard input for "-". A name ends with `end`, the last one may do without.
  /// "./", slashes at the ends and double ones mean nothing, and no name is none. Blocking. Throws
  /// Error{FileIo}, and Error{Usage} where a name leads out of the directory or cannot be one.
  NameList(const std::string& path, char end);

  size_t size() const { return names_.size(); }
  std::string_view operator[](size_t i) const { return text_.data() + names_[i]; }
  /// The directory itself is on it.
  bool has_top() const { return has_top_; }

 private:
  void add(std::string_view name);

  std::string text_;             // each with a NUL behind it
  std::vector<uint32_t> names_;  // where they begin
  bool has_top_ = false;
};

}  // namespace zx
