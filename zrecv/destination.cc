// SPDX-License-Identifier: MIT
#include "zrecv/destination.h"

#include <sys/stat.h>

#include <utility>

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

bool may_replace(const Negotiated& agreed, const struct stat& existing, const EntryInfo& entry,
                 const std::string& shown) {
  const auto time = std::pair(static_cast<int64_t>(existing.st_mtim.tv_sec),
                              static_cast<uint32_t>(existing.st_mtim.tv_nsec));
  const auto entry_time = std::pair(entry.mtime_sec, entry.mtime_nsec);
  const bool differs = entry.open_ended || static_cast<uint64_t>(existing.st_size) != entry.size ||
                       time != entry_time;
  bool replace = true;
  for (const Overwrite rule : {agreed.overwrite, agreed.overwrite_peer}) {
    if (rule == Overwrite::Never) throw Error(ExitStatus::Refused, shown + ": exists already");
    if (rule == Overwrite::Older && time >= entry_time) replace = false;
    if (rule == Overwrite::Differ && !differs) replace = false;
  }
  return replace;
}

}  // namespace zx
