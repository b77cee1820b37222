// SPDX-License-Identifier: MIT
// Principals: names of the users and groups of this machine, and their ids. Each is asked for once
// (the answer may come over a network), and the answers kept, as many as there is sense in.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "common/wire/attributes.h"

namespace zx {

class Principals {
 public:
  enum Kind { User, Group };

  /// Without a name when nobody has this id here. Blocking.
  Principal of(Kind kind, uint32_t id);
  /// The id that this name has here. Blocking.
  std::optional<uint32_t> id_of(Kind kind, const std::string& name);

 private:
  std::map<uint32_t, std::string> names_[2];
  std::map<std::string, std::optional<uint32_t>> ids_[2];
};

}  // namespace zx
