// SPDX-License-Identifier: MIT
#include "common/wire/codec.h"

#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/integrity/digest.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

TEST_CASE("Encoder: integers are big-endian") {
  Encoder e;
  e.u8(0x01).u16(0x0203).u32(0x04050607).u64(0x08090a0b0c0d0e0f);
  CHECK(to_hex(e.bytes()) == "0102030405060708090a0b0c0d0e0f");
}

TEST_CASE("Encoder: text and lists carry their lengths") {
  CHECK(to_hex(Encoder().text("").bytes()) == "0000");
  CHECK(to_hex(Encoder().text("ab").bytes()) == "00026162");
  CHECK(to_hex(Encoder().name_list({}).bytes()) == "0000");
  CHECK(to_hex(Encoder().name_list({"a", "", "bc"}).bytes()) == "0003000161000000026263");
}

TEST_CASE("Encoder: a text or list whose length does not fit is an error of ours") {
  CHECK(outcome([] { Encoder().text(std::string(65535, 'x')); }) == "no error");
  CHECK(outcome([] { Encoder().text(std::string(65536, 'x')); }) == "internal");
  CHECK(outcome([] { Encoder().name_list(std::vector<std::string>(65535)); }) == "no error");
  CHECK(outcome([] { Encoder().name_list(std::vector<std::string>(65536)); }) == "internal");
}

TEST_CASE("Decoder: reads back what the encoder wrote") {
  const Bytes bytes = Encoder()
                          .u8(0xff)
                          .u16(0xfffe)
                          .u32(0xfffffffd)
                          .u64(0xfffffffffffffffc)
                          .text("name")
                          .name_list({"a", "", "bc"})
                          .raw(as_bytes("1234"))
                          .take();
  Decoder d(bytes, "TEST");
  CHECK(d.u8("a") == 0xff);
  CHECK(d.u16("b") == 0xfffe);
  CHECK(d.u32("c") == 0xfffffffd);
  CHECK(d.u64("d") == 0xfffffffffffffffc);
  CHECK(d.text(4, "e") == "name");
  CHECK(d.name_list(3, 2, 3, "f") == std::vector<std::string>{"a", "", "bc"});
  CHECK(to_hex(d.array<4>("g")) == "31323334");
  CHECK(outcome([&] { d.finish(); }) == "no error");
}

TEST_CASE("Decoder: an integer that is cut short is a protocol error") {
  const Bytes bytes(7);
  CHECK(outcome([&] { Decoder({}, "TEST").u8("x"); }) == "protocol");
  CHECK(outcome([&] { Decoder(ByteView(bytes).first(1), "TEST").u16("x"); }) == "protocol");
  CHECK(outcome([&] { Decoder(ByteView(bytes).first(3), "TEST").u32("x"); }) == "protocol");
  CHECK(outcome([&] { Decoder(ByteView(bytes).first(7), "TEST").u64("x"); }) == "protocol");
  CHECK(outcome([&] { Decoder(ByteView(bytes).first(7), "TEST").array<8>("x"); }) == "protocol");
}

TEST_CASE("Decoder: a text longer than the message is a protocol error") {
  const Bytes promised_three = Encoder().u16(3).raw(as_bytes("ab")).take();
  CHECK(outcome([&] { Decoder(promised_three, "TEST").text(9, "x"); }) == "protocol");
  const Bytes huge = Encoder().u16(0xffff).take();
  CHECK(outcome([&] { Decoder(huge, "TEST").text(0xffff, "x"); }) == "protocol");
  CHECK(outcome([&] { Decoder(huge, "TEST").name_list(0xffff, 9, 9, "x"); }) == "protocol");
}

TEST_CASE("Decoder: limits hold at their value and not one past it") {
  const Bytes number = Encoder().u64(100).take();
  CHECK(outcome([&] { Decoder(number, "TEST").u64_max(100, "x"); }) == "no error");
  CHECK(outcome([&] { Decoder(number, "TEST").u64_max(99, "x"); }) == "protocol");

  const Bytes text = Encoder().text("12345").take();
  CHECK(outcome([&] { Decoder(text, "TEST").text(5, "x"); }) == "no error");
  CHECK(outcome([&] { Decoder(text, "TEST").text(4, "x"); }) == "protocol");

  const Bytes list = Encoder().name_list({"12", "345"}).take();
  CHECK(outcome([&] { Decoder(list, "TEST").name_list(2, 3, 5, "x"); }) == "no error");
  CHECK(outcome([&] { Decoder(list, "TEST").name_list(1, 3, 5, "x"); }) == "refused");
  CHECK(outcome([&] { Decoder(list, "TEST").name_list(2, 2, 5, "x"); }) == "refused");
  CHECK(outcome([&] { Decoder(list, "TEST").name_list(2, 3, 4, "x"); }) == "refused");
}

TEST_CASE("Decoder: bytes left over are a protocol error") {
  const Bytes bytes(2);
  Decoder d(bytes, "TEST");
  d.u8("x");
  CHECK(outcome([&] { d.finish(); }) == "protocol");
  d.u8("x");
  CHECK(outcome([&] { d.finish(); }) == "no error");
}

TEST_CASE("Decoder: the error names message and field") {
  CHECK_THROWS_WITH(Decoder({}, "ENTRY").u32("mode"),
                    Catch::Contains("ENTRY") && Catch::Contains("mode"));
}

}  // namespace
}  // namespace zx
