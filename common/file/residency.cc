// SPDX-License-Identifier: MIT
#include "common/file/residency.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "common/base/io.h"

namespace zx {
namespace {

// The same number on every architecture; the headers of Debian 12 do not have it.
constexpr long kCachestatCall = 451;

struct CachestatRange {
  uint64_t offset, length;
};
struct Cachestat {
  uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

std::optional<uint64_t> by_mincore(int fd, uint64_t size) {
  // mincore(2) tells others that everything is resident; ask only when it will tell the truth.
  struct stat st {};
  if (fstat(fd, &st) != 0 || (geteuid() != 0 && geteuid() != st.st_uid)) return std::nullopt;
  // Samples: a mapping of a whole large file and its vector would cost more than they tell.
  constexpr uint64_t kSamples = 64, kSampleBytes = 1 << 20;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t step = std::max(kSampleBytes, size / kSamples / page * page);
  uint64_t asked = 0, resident = 0;
  for (uint64_t at = 0; at < size; at += step) {
    const uint64_t length = std::min(kSampleBytes, size - at);
    void* map = mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, to_off(at));
    if (map == MAP_FAILED) return std::nullopt;
    std::vector<unsigned char> pages((length + page - 1) / page);
    const int result = mincore(map, length, pages.data());
    (void)munmap(map, length);
    if (result != 0) return std::nullopt;
    asked += pages.size();
    resident += static_cast<uint64_t>(
        std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return (p & 1) != 0; }));
  }
  return static_cast<uint64_t>(static_cast<double>(size) * static_cast<double>(resident) /
                               static_cast<double>(asked));
}

}  // namespace

std::optional<uint64_t> resident_bytes(int fd, uint64_t size) {
  if (size == 0) return 0;
  const CachestatRange range{0, size};
  Cachestat found{};
  if (syscall(kCachestatCall, fd, &range, &found, 0) == 0)
    return std::min(size, found.cached * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)));
  if (errno != ENOSYS) return std::nullopt;
  return by_mincore(fd, size);
}

}  // namespace zx
