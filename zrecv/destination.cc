// SPDX-License-Identifier: MIT
#include "zrecv/destination.h"

#include <sys/stat.h>

#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "zrecv/deleter.h"

namespace zx {

namespace {

// Whether a file system would keep the entry's time as this one. They cut it to steps of 1 s, 10 ms
// (exFAT), 1 us, 100 ns (NTFS and SMB) or 1 ns.
bool is_kept_as(const EntryInfo& entry, const timespec& kept, bool even_seconds) {
  if (even_seconds && kept.tv_sec == (entry.mtime_sec & ~int64_t{1}) && kept.tv_nsec == 0)
    return true;
  if (kept.tv_sec != entry.mtime_sec) return false;
  for (const uint32_t step : {1'000'000'000U, 10'000'000U, 1'000U, 100U, 1U})
    if (kept.tv_nsec == entry.mtime_nsec - entry.mtime_nsec % step) return true;
  return false;
}

}  // namespace

void check_entry_name(const EntryInfo& entry) {
  if (entry.kind == EntryKind::Directory && entry.name.empty()) return;
  check_path(entry.name);
  if (entry.name.size() != 1)
    throw Error(ExitStatus::Refused, "unsafe name " + quote(join_path(entry.name)) +
                                         ": a path where a name was expected");
}

void check_has_content(const EntryInfo& entry) {
  if (entry.kind != EntryKind::File)
    throw Error(ExitStatus::Refused,
                quote(join_path(entry.name)) + ": a link, and this takes files");
}

bool is_taken_for(const EntryInfo& entry, const struct stat& existing, bool even_seconds) {
  const bool link = entry.kind == EntryKind::Symlink;
  const uint64_t bytes = link ? entry.target.size() : entry.size;
  return entry.kind != EntryKind::HardLink && !entry.open_ended &&
         S_ISLNK(existing.st_mode) == link && static_cast<uint64_t>(existing.st_size) == bytes &&
         is_kept_as(entry, existing.st_mtim, even_seconds);
}

Destination::Place Destination::place_for(const EntryInfo& /*entry*/) {
  throw Error(ExitStatus::Protocol, "peer asks whether a pipe wants what it sends");
}

std::unique_ptr<Sink> Destination::enter(const EntryInfo& entry) {
  throw Error(ExitStatus::Refused,
              quote(join_path(entry.name)) + ": a directory, and this takes files");
}

std::unique_ptr<Deleter> Destination::deleter(const NameSet* /*names*/) {
  return nullptr;
}

std::string why_left_alone(const Negotiated& agreed, const struct stat& existing,
                           const EntryInfo& entry, const std::string& shown, bool even_seconds) {
  const bool same_time = is_kept_as(entry, existing.st_mtim, even_seconds);
  const bool newer = std::pair(static_cast<int64_t>(existing.st_mtim.tv_sec),
                               static_cast<uint32_t>(existing.st_mtim.tv_nsec)) >
                     std::pair(entry.mtime_sec, entry.mtime_nsec);
  const bool same_kind = S_ISLNK(existing.st_mode) == (entry.kind == EntryKind::Symlink);
  std::string why;
  for (const Overwrite rule : {agreed.overwrite, agreed.overwrite_peer}) {
    if (rule == Overwrite::Never) throw Error(ExitStatus::Refused, shown + ": exists already");
    if (rule == Overwrite::Skip) why = "exists already (--overwrite=skip)";
    // What is of another kind is no earlier or later form of it.
    if (rule == Overwrite::Older && same_kind && (newer || same_time))
      why = "the existing file is not older (--overwrite=older)";
    if (rule == Overwrite::Differ && is_taken_for(entry, existing, even_seconds))
      why = "the existing file has the same size and time (--overwrite=differ)";
  }
  return why;
}

}  // namespace zx
