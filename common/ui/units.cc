// SPDX-License-Identifier: MIT
#include "common/ui/units.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <utility>

namespace zx {

namespace {

// A number with decimals at most, times `unit`; exact where it is whole.
std::optional<uint64_t> times(std::string_view number, uint64_t unit) {
  const char* end = number.data() + number.size();
  uint64_t whole = 0;
  if (number.find('.') == std::string_view::npos) {
    const auto [stop, error] = std::from_chars(number.data(), end, whole);
    if (error != std::errc() || stop != end || __builtin_mul_overflow(whole, unit, &whole))
      return std::nullopt;
    return whole;
  }
  double value = 0;
  const auto [stop, error] = std::from_chars(number.data(), end, value, std::chars_format::fixed);
  value = std::ceil(value * static_cast<double>(unit));
  if (error != std::errc() || stop != end || !(value >= 0 && value < 1e19)) return std::nullopt;
  return static_cast<uint64_t>(value);
}

// The number and its unit.
std::pair<std::string_view, std::string_view> split(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
  return {text.substr(0, digits), text.substr(digits)};
}

}  // namespace

std::optional<uint64_t> parse_size(std::string_view text) {
  const auto [number, unit] = split(text);
  if (unit.empty() || unit == "B") return times(number, 1);
  static constexpr std::string_view kUnits = "KMGT";
  const auto power =
      kUnits.find(static_cast<char>(std::toupper(static_cast<unsigned char>(unit[0]))));
  const std::string_view rest = unit.substr(1);
  const bool decimal = rest == "B";
  if (power == std::string_view::npos || (!rest.empty() && rest != "iB" && !decimal))
    return std::nullopt;
  uint64_t factor = 1;
  for (size_t i = 0; i <= power; ++i) factor *= decimal ? 1000 : 1024;
  return times(number, factor);
}

std::optional<uint64_t> parse_rate(std::string_view text) {
  if (text.ends_with("/s")) text.remove_suffix(2);
  return parse_size(text);
}

std::optional<int64_t> parse_seconds(std::string_view text) {
  const auto [number, unit] = split(text);
  static constexpr std::string_view kUnits = "smhd";
  static constexpr std::array<uint64_t, 4> kSeconds{1, 60, 3600, 86400};
  const size_t which = unit.empty() ? 0 : kUnits.find(unit[0]);
  if (unit.size() > 1 || which >= kSeconds.size()) return std::nullopt;
  const auto seconds = times(number, kSeconds[which]);
  if (!seconds || *seconds > INT64_MAX) return std::nullopt;
  return static_cast<int64_t>(*seconds);
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

std::string human_count(uint64_t count) {
  std::string out = std::to_string(count);
  for (size_t at = out.size(); at > 3;) out.insert(at -= 3, ",");
  return out;
}

std::string human_time(double seconds) {
  const auto s = static_cast<uint64_t>(std::llround(std::max(seconds, 0.0)));
  const auto two_digits = [](uint64_t n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  if (s < 3600) return std::to_string(s / 60) + ":" + two_digits(s % 60);
  return std::to_string(s / 3600) + ":" + two_digits(s / 60 % 60) + ":" + two_digits(s % 60);
}

std::string human_duration(double seconds) {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), seconds < 0.1 ? "%.3f s" : "%.1f s", seconds);
  return seconds < 99.95 ? out.data() : human_time(seconds);
}

}  // namespace zx
