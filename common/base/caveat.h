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

/// RESULTS has a flag for each, in this order, but for the last two: those are the sender's own.
enum class Caveat : uint8_t { Mode, Owner, Acl, Times, Sync, Xattrs, Disk, Inode, Links };

struct CaveatKind {
  Caveat caveat{};
  std::string_view name;  // in JSON
  std::string_view text;
};
inline constexpr std::array kCaveatKinds{
    CaveatKind{Caveat::Mode, "mode", "its mode could not be set"},
    CaveatKind{Caveat::Owner, "owner", "its owner or group could not be kept"},
    CaveatKind{Caveat::Acl, "acl", "its ACL could not be kept"},
    CaveatKind{Caveat::Times, "times", "its modification time could not be set"},
    CaveatKind{Caveat::Sync, "not-durable", "not durable here: it cannot be synced to the disk"},
    CaveatKind{Caveat::Xattrs, "xattrs", "not all of its extended attributes could be kept"},
    CaveatKind{Caveat::Disk, "not-read-from-disk", "not read again from the disk"},
    CaveatKind{Caveat::Inode, "inode",
               "its inode changed while it was sent (a link, its name, mode or attributes), but "
               "neither its size nor its modification time"},
    CaveatKind{Caveat::Links, "links",
               "its hard links became files of their own: too many files have some"},
};

/// With the reason for each kind, "" when it is not known. The first one of a kind stays.
using Caveats = std::map<Caveat, std::string>;

using CaveatFlags = std::array<bool, kCaveatKinds.size()>;

inline CaveatFlags flags_of(const Caveats& caveats) {
  CaveatFlags flags{};
  for (const auto& [caveat, reason] : caveats) flags[static_cast<size_t>(caveat)] = true;
  return flags;
}

}  // namespace zx
