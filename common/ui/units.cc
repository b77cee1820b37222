// SPDX-License-Identifier: MIT
#include "common/ui/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace zx {

std::optional<uint64_t> parse_size(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  if (unit.empty() || unit == "B") return value;
  static constexpr std::string_view kUnits = "KMGT";
  const char letter =
      unit.front() >= 'a' ? static_cast<char>(unit.front() - 'a' + 'A') : unit.front();
  const size_t power = kUnits.find(letter);
  const std::string_view rest = unit.substr(1);
  if (power == std::string_view::npos || (!rest.empty() && rest != "iB")) return std::nullopt;
  const int shift = 10 * (static_cast<int>(power) + 1);
  if (value > UINT64_MAX >> shift) return std::nullopt;
  return value << shift;
}

std::string human_bytes(double bytes) {
  static constexpr std::array kUnits{"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  size_t unit = 0;
  while (bytes >= 999.5 && unit + 1 < kUnits.size()) {
    bytes /= 1000;
    ++unit;
  }
  std::array<char, 64> out{};
  const int decimals = unit == 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  std::snprintf(out.data(), out.size(), "%.*f %s", decimals, bytes, kUnits[unit]);
  return out.data();
}

std::string human_time(double seconds) {
  const auto s = static_cast<uint64_t>(std::llround(std::max(seconds, 0.0)));
  const auto two_digits = [](uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (s < 3600) return std::to_string(s / 60) + ":" + two_digits(s % 60);
  return std::to_string(s / 3600) + ":" + two_digits(s / 60 % 60) + ":" + two_digits(s % 60);
}

}  // namespace zx
