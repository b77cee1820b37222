// SPDX-License-Identifier: MIT
// What connections say before anything is sent: HELLO, JOIN, STREAMS, HEARTBEAT.
#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "tests/unit/message_fixture.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

TEST_CASE("HELLO: every field survives a round trip") {
  const Terms m = some_terms();
  const Terms n = decode<Terms>(encode(m));
  CHECK(to_hex(n.prefaces.connector) == to_hex(m.prefaces.connector));
  CHECK(to_hex(n.prefaces.listener) == to_hex(m.prefaces.listener));
  CHECK(n.required_features == m.required_features);
  CHECK(n.optional_features == m.optional_features);
  CHECK(to_hex(n.session) == to_hex(m.session));
  CHECK(n.block_bytes == m.block_bytes);
  CHECK(n.durability == m.durability);
  CHECK(n.overwrite == m.overwrite);
  CHECK(n.rate_limit == m.rate_limit);
  CHECK(n.silence_ms == m.silence_ms);
  CHECK(n.streams == m.streams);
  CHECK(n.path == m.path);
  CHECK(n.build == m.build);
  CHECK(n.filter == m.filter);
}

TEST_CASE("HELLO: a filter has a limit to its patterns and their bytes") {
  const auto with = [](size_t count, size_t bytes) {
    Terms m;
    m.filter.assign(count, {false, std::string(bytes, 'x')});
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(kMaxFilterRules, kMaxFilterBytes / kMaxFilterRules) == "no error");
  CHECK(with(kMaxFilterRules + 1, 1) == "protocol");
  CHECK(with(kMaxFilterRules, kMaxFilterBytes / kMaxFilterRules + 1) == "protocol");
  CHECK(with(1, kMaxOperandBytes) == "no error");
  CHECK(with(1, kMaxOperandBytes + 1) == "protocol");
  // With the longest path it fits into a message.
  Terms m;
  m.filter.assign(kMaxFilterRules, {false, std::string(kMaxFilterBytes / kMaxFilterRules, 'x')});
  m.path.assign(kMaxPathComponents, std::string(kMaxPathBytes / kMaxPathComponents, 'x'));
  m.build = std::string(kMaxBuildBytes, 'x');
  CHECK(seal(encode(m)).size() <= kMaxMessageBytes);
}

TEST_CASE("HELLO: each of its flags is a bit of its own") {
  for (int i = 0; i < 64; ++i) {
    Terms m;
    m.file_digest = (i & 1) != 0;
    m.no_target_directory = (i & 2) != 0;
    m.preserve = (i & 4) != 0;
    m.path_is_directory = (i & 8) != 0;
    m.to_pipe = (i & 16) != 0;
    m.several = (i & 32) != 0;
    const Terms n = decode<Terms>(encode(m));
    INFO(i);
    CHECK(n.file_digest == m.file_digest);
    CHECK(n.no_target_directory == m.no_target_directory);
    CHECK(n.preserve == m.preserve);
    CHECK(n.path_is_directory == m.path_is_directory);
    CHECK(n.to_pipe == m.to_pipe);
    CHECK(n.several == m.several);
  }
}

TEST_CASE("HELLO: a rate limit is none or from 1 KiB/s") {
  for (const uint64_t rate : {uint64_t{0}, kMinRateLimit, UINT64_MAX}) {
    Terms m;
    m.rate_limit = rate;
    CHECK(decode<Terms>(encode(m)).rate_limit == rate);
  }
  for (const uint64_t rate : {uint64_t{1}, kMinRateLimit - 1}) {
    Terms m;
    m.rate_limit = rate;
    CHECK(outcome([&] { decode<Terms>(encode(m)); }) == "protocol");
  }
}

TEST_CASE("HELLO: every durability and overwrite rule survives and no other number does") {
  constexpr size_t kDurabilityAt = 2 * kPrefaceBytes + 8 + 8 + 16 + 4;
  Bytes bytes = encode(Terms{});
  for (int value = 0; value < 256; ++value) {
    INFO(value);
    Bytes changed = bytes;
    changed[kDurabilityAt] = static_cast<std::byte>(value);
    if (value <= 3)
      CHECK(static_cast<int>(decode<Terms>(changed).durability) == value);
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
    changed = bytes;
    changed[kDurabilityAt + 1] = static_cast<std::byte>(value);
    if (value <= 5)
      CHECK(static_cast<int>(decode<Terms>(changed).overwrite) == value);
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
    changed = bytes;
    changed[kDurabilityAt + 3] = static_cast<std::byte>(value);
    CHECK(encode(decode<Terms>(changed)) == changed);  // each bit is a flag
    changed = bytes;
    changed[kDurabilityAt + 2] = static_cast<std::byte>(value);
    if (value <= 15) {
      const Terms terms = decode<Terms>(changed);
      CHECK(terms.archive == ((value & 1) != 0));
      CHECK(terms.several_sources == ((value & 2) != 0));
      CHECK(terms.dry_run == ((value & 4) != 0));
      CHECK(terms.verify_disk == ((value & 8) != 0));
    } else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
    changed = bytes;
    changed[kDurabilityAt + 4] = static_cast<std::byte>(value);
    if (value <= 7)
      CHECK(encode(decode<Terms>(changed)) == changed);
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
  }
}

TEST_CASE("HELLO: the block limit is from 1 to 16 MiB") {
  const auto with = [](uint32_t bytes) {
    Terms m;
    m.block_bytes = bytes;
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(0) == "protocol");
  CHECK(with(kMinBlockBytes - 1) == "protocol");
  CHECK(with(kMinBlockBytes) == "no error");
  CHECK(with(kMaxBlockBytes) == "no error");
  CHECK(with(kMaxBlockBytes + 1) == "protocol");
  CHECK(with(UINT32_MAX) == "protocol");
}

TEST_CASE("HELLO: the silence is from 250 ms to 15 s") {
  const auto with = [](uint32_t ms) {
    Terms m;
    m.silence_ms = ms;
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(0) == "protocol");
  CHECK(with(kMinSilenceMs - 1) == "protocol");
  CHECK(with(kMinSilenceMs) == "no error");
  CHECK(with(kMaxSilenceMs) == "no error");
  CHECK(with(kMaxSilenceMs + 1) == "protocol");
  CHECK(with(UINT32_MAX) == "protocol");
}

TEST_CASE("JOIN: every field survives a round trip") {
  const Join m = some_join();
  const Join n = decode<Join>(encode(m));
  CHECK(to_hex(n.prefaces.connector) == to_hex(m.prefaces.connector));
  CHECK(to_hex(n.prefaces.listener) == to_hex(m.prefaces.listener));
  CHECK(to_hex(n.session) == to_hex(m.session));
  CHECK(n.stream == m.stream);
  CHECK(n.generation == m.generation);
  CHECK(n.taken == m.taken);
  CHECK(n.acks == 77);
}

TEST_CASE("HEARTBEAT: any count survives a round trip") {
  for (const uint64_t taken : {uint64_t{0}, uint64_t{1}, UINT64_MAX})
    CHECK(decode<Heartbeat>(encode(Heartbeat{taken})).taken == taken);
}

TEST_CASE("HELLO: at most 16 streams, and 0 is no wish") {
  for (int n : {0, 1, 2, 16, 17, 256, 65535}) {
    Terms m;
    m.streams = static_cast<uint16_t>(n);
    INFO(n);
    CHECK(outcome([&] { decode<Terms>(encode(m)); }) == (n <= 16 ? "no error" : "protocol"));
  }
}

TEST_CASE("STREAMS: from 2 to 16") {
  for (int n : {0, 1, 2, 16, 17, 65535}) {
    INFO(n);
    const Bytes bytes = encode(Streams{static_cast<uint16_t>(n)});
    CHECK(outcome([&] { decode<Streams>(bytes); }) ==
          (n >= 2 && n <= 16 ? "no error" : "protocol"));
  }
}

TEST_CASE("HELLO: path and build are limited") {
  const auto with = [](std::vector<std::string> path, std::string build) {
    Terms m;
    m.path = std::move(path);
    m.build = std::move(build);
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(std::vector<std::string>(kMaxPathComponents, "x"), "") == "no error");
  CHECK(with(std::vector<std::string>(kMaxPathComponents + 1, "x"), "") == "refused");
  CHECK(with({std::string(kMaxNameBytes, 'x')}, "") == "no error");
  CHECK(with({std::string(kMaxNameBytes + 1, 'x')}, "") == "refused");
  std::vector<std::string> longest(kMaxPathBytes / 128, std::string(128, 'x'));
  CHECK(with(longest, "") == "no error");
  longest[0] += 'x';
  CHECK(with(longest, "") == "refused");
  CHECK(with({}, std::string(kMaxBuildBytes, 'b')) == "no error");
  CHECK(with({}, std::string(kMaxBuildBytes + 1, 'b')) == "protocol");
}

}  // namespace
}  // namespace zx
