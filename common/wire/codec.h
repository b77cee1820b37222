// SPDX-License-Identifier: MIT
// Bounded encoding and decoding of integers, byte strings and lists, big-endian. Knows no message.
// Decoding never reads past its span: it throws Error{Protocol} that names the field instead.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace zx {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The bytes of a string, not copied: valid as long as the string.
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Appends to a byte vector it owns.
class Encoder {
 public:
  Encoder& u8(uint8_t value) { return integer(value, 1); }
  Encoder& u16(uint16_t value) { return integer(value, 2); }
  Encoder& u32(uint32_t value) { return integer(value, 4); }
  Encoder& u64(uint64_t value) { return integer(value, 8); }
  Encoder& raw(ByteView bytes);
  /// u16 length, bytes.
  Encoder& text(std::string_view value);
  /// u16 count, then each as text().
  Encoder& name_list(const std::vector<std::string>& values);

  const Bytes& bytes() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  Encoder& integer(uint64_t value, int bytes);
  Bytes bytes_;
};

/// Reads from a span it does not own. `message` names the message in errors.
class Decoder {
 public:
  Decoder(ByteView bytes, std::string_view message) : rest_(bytes), message_(message) {}

  uint8_t u8(std::string_view field) { return static_cast<uint8_t>(integer(1, field)); }
  uint16_t u16(std::string_view field) { return static_cast<uint16_t>(integer(2, field)); }
  uint32_t u32(std::string_view field) { return static_cast<uint32_t>(integer(4, field)); }
  uint64_t u64(std::string_view field) { return integer(8, field); }
  uint64_t u64_max(uint64_t limit, std::string_view field);
  std::string text(size_t max_bytes, std::string_view field);
  template <size_t N>
  std::array<std::byte, N> array(std::string_view field) {
    std::array<std::byte, N> out{};
    const ByteView in = take(N, field);
    std::copy(in.begin(), in.end(), out.begin());
    return out;
  }
  /// A list of name components. Limits that it breaks are an Error{Refused}: an unsafe name.
  std::vector<std::string> name_list(size_t max_count, size_t max_each, size_t max_total,
                                     std::string_view field);
  /// Call last: bytes left over are a protocol error.
  void finish() const;
  [[noreturn]] void fail(std::string_view field, std::string_view what) const;

 private:
  ByteView take(size_t n, std::string_view field);
  uint64_t integer(size_t bytes, std::string_view field);

  ByteView rest_;
  std::string_view message_;
};

}  // namespace zx
