// SPDX-License-Identifier: MIT
#include "common/wire/codec.h"

#include "common/base/error.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

uint16_t checked_length(size_t size, const char* what) {
  if (size > UINT16_MAX) throw Error(ExitStatus::Internal, what);
  return static_cast<uint16_t>(size);
}

size_t bytes_of_flags(size_t bits) {
  return bits > 8 ? 2 : 1;
}

}  // namespace

void Encoder::integer(uint64_t value, size_t bytes) {
  std::array<std::byte, sizeof value> big_endian{};
  for (size_t i = bytes; i-- > 0; value >>= 8) big_endian[i] = static_cast<std::byte>(value);
  raw(ByteView(big_endian).first(bytes));
}

void Encoder::raw(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

void Encoder::flags(std::initializer_list<const bool*> bits) {
  unsigned value = 0, bit = 1;
  for (const bool* set : bits) {
    if (*set) value |= bit;
    bit <<= 1;
  }
  integer(value, bytes_of_flags(bits.size()));
}

void Encoder::text(std::string_view field, std::string_view value, size_t) {
  number(field, checked_length(value.size(), "encoded text over 65535 bytes"));
  raw(as_bytes(value));
}

void Encoder::free_text(std::string_view field, std::string_view value) {
  text(field, value.substr(0, kMaxTextBytes));
}

void Encoder::names(std::string_view field, const std::vector<std::string>& values) {
  number(field, checked_length(values.size(), "encoded list over 65535 items"));
  for (const std::string& value : values) text(field, value);
}

void Decoder::fail(std::string_view field, std::string_view what) const {
  throw Error(ExitStatus::Protocol, "peer sent a bad " + std::string(message_) + ": " +
                                        std::string(field) + ": " + std::string(what));
}

ByteView Decoder::take(size_t n, std::string_view field) {
  if (n > rest_.size()) fail(field, "message ends early");
  const ByteView out = rest_.first(n);
  rest_ = rest_.subspan(n);
  return out;
}

uint64_t Decoder::integer(size_t bytes, std::string_view field) {
  uint64_t value = 0;
  for (std::byte b : take(bytes, field)) value = value << 8 | std::to_integer<uint64_t>(b);
  return value;
}

void Decoder::status(std::string_view field, ExitStatus& value) {
  const auto known = status_from_number(static_cast<uint32_t>(integer(1, field)));
  if (!known) fail(field, "unknown");
  value = *known;
}

void Decoder::flags(std::initializer_list<bool*> bits) {
  uint64_t rest = integer(bytes_of_flags(bits.size()), "flags");
  for (bool* bit : bits) {
    *bit = (rest & 1) != 0;
    rest >>= 1;
  }
  if (rest != 0) fail("flags", "unknown bit");
}

void Decoder::text(std::string_view field, std::string& value, size_t max_bytes) {
  const size_t n = integer(2, field);
  if (n > max_bytes) fail(field, "over " + std::to_string(max_bytes) + " bytes");
  const ByteView in = take(n, field);
  value.assign(reinterpret_cast<const char*>(in.data()), in.size());
}

void Decoder::free_text(std::string_view field, std::string& value) {
  text(field, value, kMaxTextBytes);
}

void Decoder::names(std::string_view field, std::vector<std::string>& values) {
  const auto require_safe = [&](size_t n, size_t limit, const char* before, const char* what) {
    if (n > limit)
      throw Error(ExitStatus::Refused, "unsafe name: " + std::string(field) + ": " + before +
                                           std::to_string(limit) + what);
  };
  const size_t count = integer(2, field);
  require_safe(count, kMaxPathComponents, "over ", " components");
  values.resize(count);
  size_t total = 0;
  for (std::string& value : values) {
    text(field, value, UINT16_MAX);
    total += value.size();
    require_safe(value.size(), kMaxNameBytes, "longer than ", " bytes");
    require_safe(total, kMaxPathBytes, "over ", " bytes");
  }
}

void Decoder::finish() const {
  if (!rest_.empty()) fail("end", std::to_string(rest_.size()) + " bytes too many");
}

}  // namespace zx
