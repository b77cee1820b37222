// SPDX-License-Identifier: MIT
#include "common/session/stream_count.h"

#include <algorithm>
#include <fstream>

#include "common/wire/limits.h"

namespace zx {

uint16_t choose_streams(const StreamFacts& f) {
  if (f.agreed > 0 && f.rate_limit == 0) return f.agreed;
  if (f.agreed > 0)
    return static_cast<uint16_t>(std::clamp<uint64_t>(f.rate_limit / kMinRateLimit, 1, f.agreed));
  if (f.rtt < kNearby) return 1;
  const auto rtt = static_cast<uint64_t>(f.rtt.count());
  const uint64_t rate = f.rate_limit > 0 ? std::min(f.rate_limit, kAssumedRate) : kAssumedRate;
  const uint64_t on_its_way = (rate + 999'999) / 1'000'000 * rtt;
  const uint64_t window = std::max<uint64_t>(f.window_bytes, 1);
  const uint64_t count = std::min({(on_its_way + window - 1) / window, uint64_t{kMostByItself},
                                   uint64_t{2} * f.cores, f.total_bytes / kBytesPerStream});
  return static_cast<uint16_t>(std::max<uint64_t>(count, 1));
}

uint64_t window_bytes() {
  uint64_t least = 0, initial = 0, most = 0;
  std::ifstream file("/proc/sys/net/ipv4/tcp_wmem");
  if (!(file >> least >> initial >> most)) return 4 << 20;  // the kernel's default
  return most;
}

}  // namespace zx
