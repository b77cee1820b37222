// SPDX-License-Identifier: MIT
#include "common/wire/codec.h"

#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/wire/limits.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

// What write(encoder) appends.
template <typename Write>
Bytes encoded(Write write) {
  Encoder e;
  write(e);
  return e.take();
}

Bytes list_of(const std::vector<std::string>& names) {
  return encoded([&](Encoder& e) { e.names("x", names); });
}

// What becomes of reading a T by read(decoder, out).
template <typename T, typename Read>
std::string reading(ByteView bytes, Read read) {
  return outcome([&] {
    Decoder d(bytes, "TEST");
    T out{};
    read(d, out);
  });
}

template <typename T>
std::string reading_number(ByteView bytes) {
  return reading<T>(bytes, [](Decoder& d, T& out) { d.number("x", out); });
}

std::string reading_text(ByteView bytes, size_t max_bytes) {
  return reading<std::string>(bytes,
                              [&](Decoder& d, std::string& out) { d.text("x", out, max_bytes); });
}

std::string reading_names(ByteView bytes) {
  return reading<std::vector<std::string>>(bytes, [](Decoder& d, auto& out) { d.names("x", out); });
}

// One field of each kind.
struct Everything {
  uint8_t a = 0xff;
  uint16_t b = 0xfffe;
  uint32_t c = 0xfffffffd;
  uint64_t d = 0xfffffffffffffffc;
  int64_t e = -2;
  bool first = false, second = true, third = true;
  std::string text = "name";
  std::vector<std::string> names = {"a", "", "bc"};
  std::array<std::byte, 4> bytes{std::byte{'1'}, std::byte{'2'}, std::byte{'3'}, std::byte{'4'}};
  ExitStatus status = ExitStatus::Partial;

  static constexpr std::string_view kName = "TEST";
  void fields(auto& codec) {
    codec.number("a", a);
    codec.number("b", b);
    codec.number("c", c);
    codec.number("d", d);
    codec.number("e", e);
    codec.flags({&first, &second, &third});
    codec.text("text", text, 4);
    codec.names("names", names);
    codec.bytes("bytes", bytes);
    codec.status("status", status);
  }
};

TEST_CASE("Encoder: integers are big-endian, flags begin with bit 0") {
  CHECK(to_hex(encode(Everything{})) ==
        "ff"
        "fffe"
        "fffffffd"
        "fffffffffffffffc"
        "fffffffffffffffe"
        "06"
        "00046e616d65"
        "0003000161000000026263"
        "31323334"
        "17");
}

TEST_CASE("Encoder: text and lists carry their lengths") {
  CHECK(to_hex(encoded([](Encoder& e) { e.text("x", ""); })) == "0000");
  CHECK(to_hex(encoded([](Encoder& e) { e.text("x", "ab"); })) == "00026162");
  CHECK(to_hex(list_of({})) == "0000");
  CHECK(to_hex(list_of({"a", "", "bc"})) == "0003000161000000026263");
}

TEST_CASE("Encoder: a text or list whose length does not fit is an error of ours") {
  CHECK(outcome([] { Encoder().text("x", std::string(65535, 'x')); }) == "no error");
  CHECK(outcome([] { Encoder().text("x", std::string(65536, 'x')); }) == "internal");
  CHECK(outcome([] { list_of(std::vector<std::string>(65535)); }) == "no error");
  CHECK(outcome([] { list_of(std::vector<std::string>(65536)); }) == "internal");
}

TEST_CASE("Decoder: reads back what the encoder wrote") {
  Everything other;
  other.a = 1;
  other.b = 2;
  other.c = 3;
  other.d = 4;
  other.e = INT64_MIN;
  other.first = true;
  other.second = other.third = false;
  other.text = "";
  other.names = {};
  other.bytes = {};
  other.status = ExitStatus::Ok;
  for (const Everything& m : {Everything{}, other}) {
    const auto n = decode<Everything>(encode(m));
    CHECK(n.a == m.a);
    CHECK(n.b == m.b);
    CHECK(n.c == m.c);
    CHECK(n.d == m.d);
    CHECK(n.e == m.e);
    CHECK(n.first == m.first);
    CHECK(n.second == m.second);
    CHECK(n.third == m.third);
    CHECK(n.text == m.text);
    CHECK(n.names == m.names);
    CHECK(n.bytes == m.bytes);
    CHECK(n.status == m.status);
  }
}

TEST_CASE("Decoder: an integer that is cut short is a protocol error") {
  const Bytes bytes(7);
  CHECK(reading_number<uint8_t>({}) == "protocol");
  CHECK(reading_number<uint16_t>(ByteView(bytes).first(1)) == "protocol");
  CHECK(reading_number<uint32_t>(ByteView(bytes).first(3)) == "protocol");
  CHECK(reading_number<uint64_t>(ByteView(bytes).first(7)) == "protocol");
  CHECK(reading<std::array<std::byte, 8>>(ByteView(bytes).first(7), [](Decoder& d, auto& out) {
          d.bytes("x", out);
        }) == "protocol");
}

TEST_CASE("Decoder: a text longer than the message is a protocol error") {
  const Bytes promised_three = encoded([](Encoder& e) {
    e.number("x", uint16_t{3});
    e.raw(as_bytes("ab"));
  });
  CHECK(reading_text(promised_three, 9) == "protocol");
  CHECK(reading_text(Bytes(2, std::byte{0xff}), 0xffff) == "protocol");
  CHECK(reading_names(Bytes{std::byte{3}, std::byte{0xff}}) == "protocol");
}

TEST_CASE("Decoder: limits hold at their value and not one past it") {
  const Bytes number = encoded([](Encoder& e) { e.number("x", uint64_t{100}); });
  const auto up_to = [&](uint64_t limit) {
    return reading<uint64_t>(number, [&](Decoder& d, auto& out) { d.number("x", out, limit); });
  };
  CHECK(up_to(100) == "no error");
  CHECK(up_to(99) == "protocol");

  const Bytes text = encoded([](Encoder& e) { e.text("x", "12345"); });
  CHECK(reading_text(text, 5) == "no error");
  CHECK(reading_text(text, 4) == "protocol");

  CHECK(reading_names(list_of(std::vector<std::string>(kMaxPathComponents, "x"))) == "no error");
  CHECK(reading_names(list_of(std::vector<std::string>(kMaxPathComponents + 1, "x"))) == "refused");
  CHECK(reading_names(list_of({std::string(kMaxNameBytes, 'x')})) == "no error");
  CHECK(reading_names(list_of({std::string(kMaxNameBytes + 1, 'x')})) == "refused");
  std::vector<std::string> longest(kMaxPathBytes / 128, std::string(128, 'x'));
  CHECK(reading_names(list_of(longest)) == "no error");
  longest[0] += 'x';
  CHECK(reading_names(list_of(longest)) == "refused");
}

TEST_CASE("Decoder: bytes left over are a protocol error") {
  const Bytes bytes(2);
  Decoder d(bytes, "TEST");
  uint8_t out = 0;
  d.number("x", out);
  CHECK(outcome([&] { d.finish(); }) == "protocol");
  d.number("x", out);
  CHECK(outcome([&] { d.finish(); }) == "no error");
}

TEST_CASE("Decoder: the error names message and field") {
  uint32_t out = 0;
  CHECK_THROWS_WITH(Decoder({}, "ENTRY").number("mode", out),
                    Catch::Contains("ENTRY") && Catch::Contains("mode"));
}

}  // namespace
}  // namespace zx
