// SPDX-License-Identifier: MIT
#include "zrecv/destination.h"

#include <sys/stat.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {

void check_entry_name(const EntryInfo& entry) {
  check_path(entry.name);
  // Trees come later; a name of several components would need directories made.
  if (entry.name.size() != 1)
    throw Error(ExitStatus::Refused, "unsafe name " + quote(join_path(entry.name)) +
                                         ": a path where a name was expected");
}

Existing decide_existing(Overwrite here, Overwrite peer, const struct stat& existing,
                         const EntryInfo& entry) {
  const auto one = [&](Overwrite rule) {
    const auto time = std::pair(static_cast<int64_t>(existing.st_mtim.tv_sec),
                                static_cast<uint32_t>(existing.st_mtim.tv_nsec));
    const auto entry_time = std::pair(entry.mtime_sec, entry.mtime_nsec);
    switch (rule) {
      case Overwrite::Never:
        return Existing::Refuse;
      case Overwrite::Older:
        return time < entry_time ? Existing::Replace : Existing::Skip;
      case Overwrite::Differ:
        return entry.open_ended || static_cast<uint64_t>(existing.st_size) != entry.size ||
                       time != entry_time
                   ? Existing::Replace
                   : Existing::Skip;
      case Overwrite::Unset:
      case Overwrite::Always:
        break;
    }
    return Existing::Replace;
  };
  return std::max(one(here), one(peer));
}

bool may_replace(const Negotiated& agreed, const struct stat& existing, const EntryInfo& entry,
                 const std::string& shown) {
  const Existing rule = decide_existing(agreed.overwrite, agreed.overwrite_peer, existing, entry);
  if (rule == Existing::Refuse) throw Error(ExitStatus::Refused, shown + ": exists already");
  return rule == Existing::Replace;
}

}  // namespace zx
