// SPDX-License-Identifier: MIT
// Filter: which names of a tree are sent, by patterns as in gitignore(5). Pure: names are bytes,
// and no locale has a say.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "common/wire/message.h"

namespace zx {

class Filter {
 public:
  Filter() = default;
  /// Throws Error{Usage} for a pattern that can mean nothing.
  explicit Filter(const std::vector<FilterRule>& rules);

  bool empty() const { return patterns_.empty(); }
  /// Of the rules that match the first one decides; what none matches is sent. `path` is below the
  /// top of the source, without a slash at its ends. Whether what it is in is excluded was asked
  /// before.
  bool excludes(std::string_view path, bool directory) const;
  /// The same for a source by its own name, if it has one: patterns that are anchored at its top do
  /// not mean it.
  bool excludes_source(std::string_view name, bool directory) const;

  /// Of a component of a pattern: '*', or one character.
  struct Element {
    bool star = false;
    std::bitset<256> in = {};
  };
  using Part = std::vector<Element>;

 private:
  struct Pattern {
    bool include = false;
    bool directories_only = false;  // "name/"
    bool anchored = false;          // has another slash: from the top; else any last component
    std::vector<Part> parts;
  };

  bool decide(std::string_view path, bool directory, bool source) const;

  std::vector<Pattern> patterns_;
};

/// The patterns of a file, one a line; blank lines and those that begin with '#' are none, blanks
/// at the end count only behind a backslash. Throws Error{FileIo}, and Error{Usage} as Filter does.
std::vector<FilterRule> read_patterns(const std::string& path, bool include);

}  // namespace zx
