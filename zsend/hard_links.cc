// SPDX-License-Identifier: MIT
#include "zsend/hard_links.h"

#include "common/wire/limits.h"

namespace zx {

uint64_t HardLinks::first_of(const struct stat& file) const {
  if (file.st_nlink < 2) return 0;
  const auto found = firsts_.find({file.st_dev, file.st_ino});
  if (found == firsts_.end()) return 0;
  const First& first = found->second;
  const bool same = first.size == file.st_size && first.mtime.tv_sec == file.st_mtim.tv_sec &&
                    first.mtime.tv_nsec == file.st_mtim.tv_nsec;
  return same ? first.id : 0;
}

bool HardLinks::add_name(const struct stat& file) {
  const auto found = firsts_.find({file.st_dev, file.st_ino});
  if (--found->second.to_come > 0) return true;
  keys_.erase(found->second.id);
  firsts_.erase(found);
  --at_receiver_;
  return false;
}

bool HardLinks::add_first(const struct stat& file, uint64_t id) {
  if (at_receiver_ >= kMaxLinkedFiles) return false;
  ++at_receiver_;
  const Key key{file.st_dev, file.st_ino};
  if (const auto before = firsts_.find(key); before != firsts_.end())
    keys_.erase(before->second.id);
  firsts_[key] = {id, file.st_nlink - 1, file.st_size, file.st_mtim};
  keys_[id] = key;
  return true;
}

void HardLinks::forget(uint64_t id) {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return;
  firsts_.erase(found->second);
  keys_.erase(found);
}

}  // namespace zx
