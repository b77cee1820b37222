// SPDX-License-Identifier: MIT
// NameFilter: which entries are welcome by their names: those that were asked for, and each name
// once; and so which names of a directory have come.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/wire/message.h"
#include "zrecv/hash_set.h"

namespace zx {

/// The names that a pull has asked for.
struct RequestedNames {
  std::vector<std::vector<std::string>> names;  // none: everything is welcome
  // Each must come, in this order. Else there is one name, and what is offered under it is welcome.
  bool every_one = false;
  bool recursive = false;  // -r: one of them may be a directory or a link
  bool links = true;       // not --no-links
};

/// Of each name only 64 bits of a keyed hash are kept: nobody can choose two that collide.
class NameSet {
 public:
  using Key = std::array<std::byte, 16>;

  explicit NameSet(const Key& key) : key_(key) {}
  /// False when it is in there.
  bool add(std::string_view name) { return hashes_.insert(hash_of(name)); }
  bool contains(std::string_view name) const { return hashes_.contains(hash_of(name)); }
  size_t size() const { return hashes_.size(); }

 private:
  uint64_t hash_of(std::string_view name) const;

  const Key key_;
  HashSet hashes_;
};

class NameFilter {
 public:
  explicit NameFilter(RequestedNames requested);

  /// The entry of this number of those that are in no directory, from 1 on. Throws Error{Refused}
  /// when it was not asked for.
  void check_requested(uint64_t number, const EntryInfo& info) const;
  /// Not, with --no-links, symbolic ones.
  bool wants(EntryKind kind) const { return kind != EntryKind::Symlink || requested_.links; }
  /// Names are of another directory from here on, or of the same one, which was told once more;
  /// leave() goes back to the one before.
  void enter(bool same) {
    taken_.push_back(same ? taken_.back() : std::make_shared<NameSet>(key_));
  }
  void leave() { taken_.pop_back(); }
  /// False when an entry of this directory has taken the name before.
  bool take(const std::string& name) { return taken_.back()->add(name); }
  /// The names of this directory, and those that it will still get.
  std::shared_ptr<const NameSet> names() const { return taken_.back(); }
  /// `count` such entries have come, and no more will. Throws Error{Protocol} when some are
  /// missing.
  void check_all_came(uint64_t count) const;

 private:
  const RequestedNames requested_;
  NameSet::Key key_{};
  std::vector<std::shared_ptr<NameSet>> taken_;
};

}  // namespace zx
