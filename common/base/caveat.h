// SPDX-License-Identifier: MIT
// Caveats: what of a committed entry is not as it should be, though its content is. They are said
// once for each kind in a run, not for each file, and are no failure.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace zx {

/// The bit of each in the flags of RESULTS.
enum class Caveat : uint8_t {
  Mode = 1 << 1,
  Owner = 1 << 2,
  Acl = 1 << 3,
  Times = 1 << 4,
  Sync = 1 << 5
};

struct CaveatKind {
  Caveat caveat{};
  std::string_view name;  // in JSON
  std::string_view text;
};
inline constexpr std::array kCaveatKinds{
    CaveatKind{Caveat::Mode, "mode", "its mode could not be set"},
    CaveatKind{Caveat::Owner, "owner", "owner and group of what it replaces were not kept"},
    CaveatKind{Caveat::Acl, "acl", "the ACL of what it replaces was not kept"},
    CaveatKind{Caveat::Times, "times", "its modification time could not be set"},
    CaveatKind{Caveat::Sync, "not-durable", "not durable here: it cannot be synced to the disk"},
};

/// With the reason for each kind, "" when it is not known. The first one of a kind stays.
using Caveats = std::map<Caveat, std::string>;

constexpr uint8_t kCaveatBits = 0x3e;

inline uint8_t bits_of(const Caveats& caveats) {
  unsigned bits = 0;
  for (const auto& [caveat, reason] : caveats) bits |= static_cast<unsigned>(caveat);
  return static_cast<uint8_t>(bits);
}

}  // namespace zx
