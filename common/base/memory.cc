// SPDX-License-Identifier: MIT
#include "common/base/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>

namespace zx {
namespace {

// The number after `key` in a file of lines "key number ...".
std::optional<uint64_t> number_after(const std::string& path, const std::string& key) {
  std::ifstream in(path);
  for (std::string word; in >> word;) {
    uint64_t value = 0;
    if (word == key && in >> value) return value;
  }
  return std::nullopt;
}

// A file that holds one number; nothing for "max".
std::optional<uint64_t> number_in(const std::string& path) {
  std::ifstream in(path);
  uint64_t value = 0;
  return in >> value ? std::optional(value) : std::nullopt;
}

// What one group's limit leaves. Its clean, long unused cache counts as free, as in MemAvailable.
std::optional<uint64_t> left_in_group(const std::string& dir) {
  const auto limit = number_in(dir + "/memory.max"), used = number_in(dir + "/memory.current");
  if (!limit || !used) return std::nullopt;
  const uint64_t reclaimable = number_after(dir + "/memory.stat", "inactive_file").value_or(0);
  const uint64_t kept = *used - std::min(*used, reclaimable);
  return std::max<uint64_t>(*limit - std::min(*limit, kept), 1);  // 0 would mean "unknown"
}

std::optional<std::string> own_group(const std::string& root) {
  std::ifstream in(root + "/proc/self/cgroup");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("0::/")) return line.substr(3);
  return std::nullopt;
}

}  // namespace

uint64_t available_memory(const std::string& root) {
  constexpr uint64_t kKib = 1024;
  uint64_t least = number_after(root + "/proc/meminfo", "MemAvailable:").value_or(0) * kKib;
  auto group = own_group(root);
  while (group && !group->empty()) {
    const auto left = left_in_group(root + "/sys/fs/cgroup" + *group);
    if (left) least = least == 0 ? *left : std::min(least, *left);
    group->resize(group->find_last_of('/'));
  }
  return least;
}

}  // namespace zx
