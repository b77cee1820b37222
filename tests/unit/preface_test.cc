// SPDX-License-Identifier: MIT
#include "common/wire/preface.h"

#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/integrity/digest.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

PrefaceBytes with_byte(size_t at, int value) {
  PrefaceBytes bytes = encode_preface({});
  bytes.at(at) = static_cast<std::byte>(value);
  return bytes;
}

std::string outcome_with_byte(size_t at, int value) {
  return outcome([&] { decode_preface(with_byte(at, value)); });
}

TEST_CASE("preface: every field survives a round trip") {
  for (Mode mode : {Mode::TlsPsk, Mode::TlsCert, Mode::Plain})
    for (Role role : {Role::Sender, Role::Receiver})
      for (int code = 0; code <= 6; ++code)
        for (int flags = 0; flags < 4; ++flags) {
          Preface p;
          p.lowest_version = 1;
          p.highest_version = 7;
          p.mode = mode;
          p.role = role;
          p.no_auth = (flags & 1) != 0;
          p.join = (flags & 2) != 0;
          p.suites = 0xa5;
          p.code = static_cast<PrefaceCode>(code);
          for (size_t i = 0; i < p.random.size(); ++i) p.random[i] = static_cast<std::byte>(i + 1);
          const Preface q = decode_preface(encode_preface(p));
          CHECK(q.lowest_version == p.lowest_version);
          CHECK(q.highest_version == p.highest_version);
          CHECK(q.mode == p.mode);
          CHECK(q.role == p.role);
          CHECK(q.no_auth == p.no_auth);
          CHECK(q.join == p.join);
          CHECK(q.suites == p.suites);
          CHECK(q.code == p.code);
          CHECK(to_hex(q.random) == to_hex(p.random));
        }
}

TEST_CASE("preface: any changed byte of the magic is refused") {
  REQUIRE(outcome([] { decode_preface(encode_preface({})); }) == "no error");
  for (size_t at = 0; at < 8; ++at)
    for (int bit = 0; bit < 8; ++bit) {
      PrefaceBytes bytes = encode_preface({});
      bytes.at(at) ^= static_cast<std::byte>(1 << bit);
      INFO("byte " << at << " bit " << bit);
      CHECK(outcome([&] { decode_preface(bytes); }) == "protocol");
    }
}

TEST_CASE("preface: what other programs say first is not one of ours") {
  for (const char* first : {"GET / HTTP/1.1\r\nHost: x", "SSH-2.0-OpenSSH_9.2p1xxx",
                            "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03xxxxxxxxxxxxx"}) {
    PrefaceBytes bytes{};
    for (size_t i = 0; i < bytes.size() && first[i] != 0; ++i)
      bytes.at(i) = static_cast<std::byte>(first[i]);
    CHECK(outcome([&] { decode_preface(bytes); }) == "protocol");
  }
}

TEST_CASE("preface: a range of versions that is empty or begins at 0 is refused") {
  const auto versions = [](int lowest, int highest) {
    PrefaceBytes bytes = with_byte(8, lowest);
    bytes[9] = static_cast<std::byte>(highest);
    return outcome([&] { decode_preface(bytes); });
  };
  CHECK(versions(1, 1) == "no error");
  CHECK(versions(2, 9) == "no error");  // whether there is a common one is not decided here
  CHECK(versions(1, 255) == "no error");
  CHECK(versions(0, 1) == "protocol");
  CHECK(versions(0, 0) == "protocol");
  CHECK(versions(2, 1) == "protocol");
}

TEST_CASE("preface: unknown mode and role and code and bits are refused") {
  for (int value = 0; value < 256; ++value) {
    INFO(value);
    CHECK(outcome_with_byte(10, value) == (value >= 1 && value <= 3 ? "no error" : "protocol"));
    CHECK(outcome_with_byte(11, value) == (value >= 1 && value <= 2 ? "no error" : "protocol"));
    CHECK(outcome_with_byte(12, value) == (value <= 3 ? "no error" : "protocol"));
    CHECK(outcome_with_byte(13, value) == "no error");  // suites: unknown ones are not common ones
    CHECK(outcome_with_byte(14, value) == (value <= 6 ? "no error" : "protocol"));
    CHECK(outcome_with_byte(15, value) == (value == 0 ? "no error" : "protocol"));
  }
}

TEST_CASE("preface: names of roles") {
  CHECK(role_name(Role::Sender) == std::string("sender"));
  CHECK(role_name(Role::Receiver) == std::string("receiver"));
}

}  // namespace
}  // namespace zx
