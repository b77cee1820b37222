// SPDX-License-Identifier: MIT
#include "zrecv/linked_files.h"

#include <vector>

#include "common/base/error.h"
#include "common/file/name.h"

namespace zx {
namespace {

// Of all places: their names, which are long deep in a tree, and this for each. What has no room is
// not linked to: such a name fails.
constexpr size_t kMostBytes = 64 << 20, kPlaceBytes = 200;

}  // namespace

bool LinkedFiles::Place::is(const struct stat& file) const {
  return S_ISREG(file.st_mode) && file.st_dev == device && file.st_ino == inode &&
         file.st_uid == owner && file.st_size == size && file.st_mtim.tv_sec == mtime.tv_sec &&
         file.st_mtim.tv_nsec == mtime.tv_nsec;
}

void LinkedFiles::add(uint64_t id, const std::string& name, const struct stat& file) {
  const std::lock_guard lock(mutex_);
  const size_t bytes = name.size() + kPlaceBytes;
  while (bytes_ + bytes > kMostBytes && !unwanted_.empty()) erase_locked(*unwanted_.begin());
  if (bytes_ + bytes > kMostBytes) return;
  if (places_
          .try_emplace(
              id, Place{name, file.st_dev, file.st_ino, file.st_uid, file.st_size, file.st_mtim})
          .second)
    bytes_ += bytes;
}

bool LinkedFiles::is_it(uint64_t id, const struct stat& file) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  return found != places_.end() && found->second.is(file);
}

void LinkedFiles::link_into(std::optional<TempFile>& temp, uint64_t id, const HeldDir& dir,
                            const std::string& final_name) const {
  Place place;
  {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(id);
    if (found == places_.end())
      throw Error(
          ExitStatus::FileIo,
          dir.describe(final_name) + ": a hard link to a file that is not here as it was sent");
    place = found->second;
  }
  const auto parts = split_path(place.name);
  const std::vector<std::string> names(parts.begin(), parts.end());
  const HeldDir from = root_->dir.walk({names.data(), names.size() - 1}, /*make=*/false);
  temp.emplace(dir, final_name, from, names.back());
  if (place.is(temp->written())) return;
  temp.reset();
  throw Error(ExitStatus::FileIo, dir.describe(final_name) + ": a hard link to " +
                                      from.describe(names.back()) +
                                      ", which was replaced by somebody meanwhile");
}

void LinkedFiles::drop(uint64_t id) {
  const std::lock_guard lock(mutex_);
  erase_locked(id);
}

void LinkedFiles::erase_locked(uint64_t id) {
  unwanted_.erase(id);
  const auto found = places_.find(id);
  if (found == places_.end()) return;
  bytes_ -= found->second.name.size() + kPlaceBytes;
  places_.erase(found);
}

void LinkedFiles::drop_when_full(uint64_t id) {
  const std::lock_guard lock(mutex_);
  if (places_.contains(id)) unwanted_.insert(id);
}

}  // namespace zx
