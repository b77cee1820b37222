// SPDX-License-Identifier: MIT
#include "zrecv/hard_links.h"

#include <vector>

#include "common/base/error.h"

namespace zx {
namespace {

// Deep in a tree names are long. What has no room is not linked to, which is told.
constexpr size_t kMostNameBytes = 32 << 20;

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> out(1);
  for (const char c : path) {
    if (c == '/')
      out.emplace_back();
    else
      out.back() += c;
  }
  return out;
}

}  // namespace

bool HardLinks::Place::is(const struct stat& file) const {
  return S_ISREG(file.st_mode) && file.st_dev == device && file.st_ino == inode &&
         file.st_uid == owner && file.st_size == size && file.st_mtim.tv_sec == mtime.tv_sec &&
         file.st_mtim.tv_nsec == mtime.tv_nsec;
}

void HardLinks::add(uint64_t id, const std::string& name, const struct stat& file) {
  const std::lock_guard lock(mutex_);
  while (name_bytes_ + name.size() > kMostNameBytes && !unwanted_.empty())
    erase_locked(*unwanted_.begin());
  if (name_bytes_ + name.size() > kMostNameBytes) return;
  if (places_
          .try_emplace(
              id, Place{name, file.st_dev, file.st_ino, file.st_uid, file.st_size, file.st_mtim})
          .second)
    name_bytes_ += name.size();
}

bool HardLinks::is_it(uint64_t id, const struct stat& file) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  return found != places_.end() && found->second.is(file);
}

void HardLinks::link_into(std::optional<TempFile>& temp, uint64_t id, const HeldDir& dir,
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
  const std::vector<std::string> names = split(place.name);
  const HeldDir from = root_->dir.walk({names.data(), names.size() - 1}, /*make=*/false);
  temp.emplace(dir, final_name, from, names.back());
  if (place.is(temp->written())) return;
  temp.reset();
  throw Error(ExitStatus::FileIo, dir.describe(final_name) + ": a hard link to " +
                                      from.describe(names.back()) +
                                      ", which was replaced by somebody meanwhile");
}

void HardLinks::drop(uint64_t id) {
  const std::lock_guard lock(mutex_);
  erase_locked(id);
}

void HardLinks::erase_locked(uint64_t id) {
  unwanted_.erase(id);
  const auto found = places_.find(id);
  if (found == places_.end()) return;
  name_bytes_ -= found->second.name.size();
  places_.erase(found);
}

void HardLinks::drop_when_full(uint64_t id) {
  const std::lock_guard lock(mutex_);
  if (places_.contains(id)) unwanted_.insert(id);
}

}  // namespace zx
