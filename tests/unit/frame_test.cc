// SPDX-License-Identifier: MIT
#include "common/wire/frame.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "common/base/error.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

constexpr FrameType kAllTypes[] = {
    FrameType::Hello,     FrameType::Welcome, FrameType::Join,       FrameType::Streams,
    FrameType::Entry,     FrameType::Data,    FrameType::DataDigest, FrameType::Hole,
    FrameType::End,       FrameType::Fin,     FrameType::Bye,        FrameType::Ack,
    FrameType::Retry,     FrameType::Results, FrameType::Verdict,    FrameType::ErrorReport,
    FrameType::Heartbeat, FrameType::Deleted, FrameType::Wanted,
};

std::string outcome_of_length(FrameType type, uint32_t length) {
  return outcome([&] { decode_header(encode_header({type, 0, length, 0, 0})); });
}

TEST_CASE("frame header: every field survives a round trip") {
  const uint64_t numbers[] = {0, 1, 0x0102030405060708, UINT64_MAX};
  for (FrameType type : kAllTypes)
    for (uint64_t number : numbers) {
      const FrameHeader h{type, static_cast<uint16_t>(number), 77, number, ~number};
      const FrameHeader back = decode_header(encode_header(h));
      CHECK(back.type == h.type);
      CHECK(back.flags == h.flags);
      CHECK(back.length == h.length);
      CHECK(back.entry == h.entry);
      CHECK(back.offset == h.offset);
    }
}

TEST_CASE("frame header: any flipped bit is found") {
  const FrameHeaderBytes good =
      encode_header({FrameType::Data, kFlagResent, 4096, 3, uint64_t{1} << 33});
  REQUIRE(outcome([&] { decode_header(good); }) == "no error");
  for (size_t at = 0; at < good.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      FrameHeaderBytes bytes = good;
      bytes.at(at) ^= static_cast<std::byte>(1 << bit);
      INFO("byte " << at << " bit " << bit);
      CHECK(outcome([&] { decode_header(bytes); }) == "protocol");
    }
}

TEST_CASE("frame header: the length is limited by the type") {
  CHECK(outcome_of_length(FrameType::Data, kMaxBlockBytes) == "no error");
  CHECK(outcome_of_length(FrameType::Data, kMaxBlockBytes + 1) == "protocol");
  CHECK(outcome_of_length(FrameType::Data, UINT32_MAX) == "protocol");
  for (FrameType type : kAllTypes) {
    if (type == FrameType::Data) continue;
    INFO(frame_name(type));
    CHECK(outcome_of_length(type, 0) == "no error");
    CHECK(outcome_of_length(type, kMaxMessageBytes) == "no error");
    CHECK(outcome_of_length(type, kMaxMessageBytes + 1) == "protocol");
  }
}

TEST_CASE("frame header: an unknown type is read and limited like a message") {
  for (int number : {0x0077, 0x8077, 0x0000, 0xffff, 0x0011}) {
    const auto type = static_cast<FrameType>(number);
    INFO(number);
    CHECK_FALSE(is_known(type));
    CHECK(decode_header(encode_header({type, 5, 9, 1, 2})).type == type);
    CHECK(outcome_of_length(type, kMaxMessageBytes) == "no error");
    CHECK(outcome_of_length(type, kMaxMessageBytes + 1) == "protocol");
  }
}

TEST_CASE("frame types: known and named once each") {
  std::set<std::string> names;
  for (FrameType type : kAllTypes) {
    CHECK(is_known(type));
    CHECK(names.insert(frame_name(type)).second);
  }
  CHECK(frame_name(FrameType::Data) == std::string("DATA"));
  CHECK(frame_name(FrameType::DataDigest) == std::string("DIGEST"));
  CHECK(frame_name(FrameType::ErrorReport) == std::string("ERROR"));
  size_t known = 0;
  for (uint32_t number = 0; number <= UINT16_MAX; ++number)
    if (is_known(static_cast<FrameType>(number))) ++known;
  CHECK(known == std::size(kAllTypes));
}

TEST_CASE("frame types: those that decide something are counted") {
  const std::set<std::string> counted{"STREAMS", "ENTRY",   "HOLE",    "END",     "FIN",
                                      "BYE",     "RESULTS", "VERDICT", "DELETED", "WANTED"};
  for (FrameType type : kAllTypes) {
    INFO(frame_name(type));
    CHECK(is_counted(type) == counted.contains(frame_name(type)));
  }
  CHECK_FALSE(is_counted(static_cast<FrameType>(0x8077)));
  CHECK_FALSE(is_counted(static_cast<FrameType>(0x0077)));
}

TEST_CASE("frame header: the attempt of a block has the upper half of the flags") {
  for (int attempt = 0; attempt <= kMaxAttempt; ++attempt) {
    const uint16_t flags = attempt_flags(static_cast<uint16_t>(attempt));
    CHECK(attempt_of(flags) == attempt);
    CHECK((flags & ~kAttemptMask) == 0);
    CHECK(attempt_of(flags | kFlagResent) == attempt);
  }
}

TEST_CASE("frame types: all but the heartbeat must be understood") {
  for (FrameType type : kAllTypes) {
    INFO(frame_name(type));
    const bool must = (static_cast<uint16_t>(type) & kMustUnderstand) != 0;
    CHECK(must == (type != FrameType::Heartbeat));
  }
}

}  // namespace
}  // namespace zx
