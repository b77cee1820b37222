// SPDX-License-Identifier: MIT
#include "zrecv/open_directories.h"

#include <algorithm>

#include "common/base/error.h"

namespace zx {

bool OpenDirectories::is_open(uint64_t id) const {
  return std::ranges::any_of(stack_, [&](const auto& d) { return d->id == id; });
}

void OpenDirectories::begin(uint64_t id) {
  if (stack_.empty()) return;
  parents_.emplace(id, stack_.back());
  ++stack_.back()->unsettled;
}

void OpenDirectories::enter(uint64_t id, Verified directory) {
  auto entered = std::make_shared<Directory>();
  entered->id = id;
  entered->verified = std::move(directory);
  if (!stack_.empty()) entered->parent = stack_.back();
  stack_.push_back(std::move(entered));
}

Verified& OpenDirectories::end(uint64_t id) {
  if (stack_.empty() || stack_.back()->id != id)
    throw Error(ExitStatus::Protocol, "peer sent END for a directory that is not the innermost");
  // Of itself it is one entry that is done.
  parents_[id] = std::move(stack_.back());
  stack_.pop_back();
  return parents_[id]->verified;
}

std::vector<Verified> OpenDirectories::done(uint64_t id) {
  std::vector<Verified> complete;
  const auto found = parents_.find(id);
  if (found == parents_.end()) return complete;
  auto directory = std::move(found->second);
  parents_.erase(found);
  while (directory && --directory->unsettled == 0) {
    if (directory->verified.sink) complete.push_back(std::move(directory->verified));
    directory = directory->parent;
  }
  return complete;
}

}  // namespace zx
