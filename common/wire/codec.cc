// SPDX-License-Identifier: MIT
#include "common/wire/codec.h"

#include "common/base/error.h"

namespace zx {

Encoder& Encoder::integer(uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    bytes_.push_back(static_cast<std::byte>(value >> shift));
  return *this;
}

Encoder& Encoder::raw(ByteView bytes) {
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  return *this;
}

Encoder& Encoder::text(std::string_view value) {
  if (value.size() > UINT16_MAX) throw Error(ExitStatus::Internal, "encoded text over 65535 bytes");
  return u16(static_cast<uint16_t>(value.size())).raw(as_bytes(value));
}

Encoder& Encoder::name_list(const std::vector<std::string>& values) {
  if (values.size() > UINT16_MAX)
    throw Error(ExitStatus::Internal, "encoded list over 65535 items");
  u16(static_cast<uint16_t>(values.size()));
  for (const std::string& value : values) text(value);
  return *this;
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

uint64_t Decoder::u64_max(uint64_t limit, std::string_view field) {
  const uint64_t value = u64(field);
  if (value > limit) fail(field, "over the limit of " + std::to_string(limit));
  return value;
}

std::string Decoder::text(size_t max_bytes, std::string_view field) {
  const size_t n = u16(field);
  if (n > max_bytes) fail(field, "over " + std::to_string(max_bytes) + " bytes");
  const ByteView in = take(n, field);
  return {reinterpret_cast<const char*>(in.data()), in.size()};
}

std::vector<std::string> Decoder::name_list(size_t max_count, size_t max_each, size_t max_total,
                                            std::string_view field) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitStatus::Refused, "unsafe name: " + std::string(field) + ": " + why);
  };
  const size_t count = u16(field);
  if (count > max_count) refuse("over " + std::to_string(max_count) + " components");
  std::vector<std::string> out;
  size_t total = 0;
  for (size_t i = 0; i < count; ++i) {
    out.push_back(text(UINT16_MAX, field));
    total += out.back().size();
    if (out.back().size() > max_each) refuse("longer than " + std::to_string(max_each) + " bytes");
    if (total > max_total) refuse("over " + std::to_string(max_total) + " bytes");
  }
  return out;
}

void Decoder::finish() const {
  if (!rest_.empty()) fail("end", std::to_string(rest_.size()) + " bytes too many");
}

}  // namespace zx
