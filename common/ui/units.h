// SPDX-License-Identifier: MIT
// Sizes, rates and times as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zx {

/// "1.5M" -> 1572864. A number, decimals too, and optionally a unit: K, M, G, T or KiB, MiB, ...
/// (powers of 1024), KB, MB, ... (of 1000), B.
std::optional<uint64_t> parse_size(std::string_view text);
/// The same for so much a second: "10MB/s"; "/s" may be left out.
std::optional<uint64_t> parse_rate(std::string_view text);
/// "5m" -> 300. A number, decimals too, and optionally s, m, h or d; a part of a second counts as
/// one.
std::optional<int64_t> parse_seconds(std::string_view text);

/// 1234567890 -> "1.23 GB" (powers of 1000).
std::string human_bytes(double bytes);
/// 1204 -> "1,204".
std::string human_count(uint64_t count);
/// 75 -> "1:15", 3700 -> "1:01:40".
std::string human_time(double seconds);
/// How long something took: 0.03 -> "0.030 s", 1.04 -> "1.0 s", 100 -> "1:40".
std::string human_duration(double seconds);

}  // namespace zx
