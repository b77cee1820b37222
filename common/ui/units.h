// SPDX-License-Identifier: MIT
// Sizes, rates and times as people write and read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace zx {

/// "8M" -> 8388608. Digits and an optional K, M, G or T (powers of 1024; "KiB", "MiB" ... and "B"
/// too).
std::optional<uint64_t> parse_size(std::string_view text);

/// 1234567890 -> "1.23 GB" (powers of 1000).
std::string human_bytes(double bytes);
/// 75 -> "1:15", 3700 -> "1:01:40".
std::string human_time(double seconds);

}  // namespace zx
