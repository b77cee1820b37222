// SPDX-License-Identifier: MIT
// Bounded encoding and decoding, big-endian. A message lists its fields once, for both directions,
// in void fields(auto& codec). Decoding never reads past its span and checks what the list says: it
// throws Error{Protocol} that names the message and the field. Encoding checks nothing but that
// lengths fit.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/base/exit_status.h"

namespace zx {

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;

/// The bytes of a string, not copied: valid as long as the string.
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

/// Appends to a byte vector it owns. Each call has the meaning of the Decoder's of that name.
class Encoder {
 public:
  Encoder() { bytes_.reserve(kMostlyEnough); }

  template <typename T>
  void number(std::string_view, T value, std::type_identity_t<T> = {}) {
    integer(static_cast<uint64_t>(value), sizeof value);
  }
  template <typename Enum>
  void choice(std::string_view field, Enum value, Enum, Enum) {
    number(field, value);
  }
  void status(std::string_view, ExitStatus value) { integer(static_cast<uint64_t>(value), 1); }
  void flags(std::initializer_list<const bool*> bits);
  void bytes(std::string_view, ByteView value) { raw(value); }
  void text(std::string_view, std::string_view value, size_t = 0);
  /// Ours is cut to the limit.
  void free_text(std::string_view field, std::string_view value);
  void names(std::string_view field, const std::vector<std::string>& values);
  template <typename T>
  void list(std::string_view field, std::vector<T>& values, size_t, size_t) {
    number(field, static_cast<uint16_t>(values.size()));
    for (T& value : values) value.fields(*this);
  }
  void require(bool, std::string_view, std::string_view) {}

  void raw(ByteView bytes);
  const Bytes& so_far() const { return bytes_; }
  Bytes take() { return std::move(bytes_); }

 private:
  // Of a message and its seal, so that it is put together in one piece of memory.
  static constexpr size_t kMostlyEnough = 192;

  void integer(uint64_t value, size_t bytes);
  Bytes bytes_;
};

/// Reads from a span it does not own. `message` names the message in errors.
class Decoder {
 public:
  Decoder(ByteView bytes, std::string_view message) : rest_(bytes), message_(message) {}

  /// An integer or an enum whose other values are known too, in as many bytes as its type has.
  template <typename T>
  void number(std::string_view field, T& value) {
    value = static_cast<T>(integer(sizeof value, field));
  }
  template <typename T>
  void number(std::string_view field, T& value, std::type_identity_t<T> limit) {
    number(field, value);
    if (value > limit) fail(field, "over the limit of " + std::to_string(limit));
  }
  /// An enum from first to last.
  template <typename Enum>
  void choice(std::string_view field, Enum& value, Enum first, Enum last) {
    number(field, value);
    require(first <= value && value <= last, field, "unknown");
  }
  /// One byte.
  void status(std::string_view field, ExitStatus& value);
  /// One byte, or two for more than 8; the first one is bit 0. The others must be 0.
  void flags(std::initializer_list<bool*> bits);
  template <size_t N>
  void bytes(std::string_view field, std::array<std::byte, N>& value) {
    const ByteView in = take(N, field);
    std::copy(in.begin(), in.end(), value.begin());
  }
  /// u16 length, bytes.
  void text(std::string_view field, std::string& value, size_t max_bytes);
  /// For people: kMaxTextBytes at most.
  void free_text(std::string_view field, std::string& value);
  /// The components of a path: u16 count, then each as text(). Limits that it breaks are an
  /// Error{Refused}: an unsafe name.
  void names(std::string_view field, std::vector<std::string>& values);
  /// Other lists of fields: u16 count, from `least` to `most`, then each.
  template <typename T>
  void list(std::string_view field, std::vector<T>& values, size_t least, size_t most) {
    uint16_t count = 0;
    number(field, count);
    require(count >= least && count <= most, field, "none or too many");
    values.resize(count);
    for (T& value : values) value.fields(*this);
  }
  void require(bool good, std::string_view field, std::string_view what) const {
    if (!good) fail(field, what);
  }

  /// Call last: bytes left over are a protocol error.
  void finish() const;
  [[noreturn]] void fail(std::string_view field, std::string_view what) const;

 private:
  ByteView take(size_t n, std::string_view field);
  uint64_t integer(size_t bytes, std::string_view field);

  ByteView rest_;
  std::string_view message_;
};

template <typename Message>
Bytes encode(Message message) {
  Encoder e;
  message.fields(e);
  return e.take();
}

template <typename Message>
Message decode(ByteView bytes) {
  Decoder d(bytes, Message::kName);
  Message message{};
  message.fields(d);
  d.finish();
  return message;
}

}  // namespace zx
