// SPDX-License-Identifier: MIT
#include "common/session/replay.h"
#include "common/base/quote.h"

#include <catch2/catch.hpp>
#include <string>

#include "common/integrity/digest.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

Bytes frame(int number, size_t size = 3) {
  return Bytes(size, static_cast<std::byte>(number));
}

// The frames 1 to last, of three bytes each, as they were kept; those before `first` forgotten.
std::string frames(int first, int last) {
  Bytes out;
  for (int i = first; i <= last; ++i) {
    const Bytes one = frame(i);
    out.insert(out.end(), one.begin(), one.end());
  }
  return to_hex(out);
}

Replay with(int count) {
  Replay replay;
  for (int i = 1; i <= count; ++i) replay.keep(frame(i));
  return replay;
}

TEST_CASE("replay: what the peer has not counted comes again in order") {
  Replay replay = with(5);
  CHECK(to_hex(replay.rest()) == frames(1, 5));
  replay.forget(0);
  CHECK(to_hex(replay.rest()) == frames(1, 5));
  replay.forget(2);
  CHECK(to_hex(replay.rest()) == frames(3, 5));
  replay.forget(2);  // the same count again
  CHECK(to_hex(replay.rest()) == frames(3, 5));
  replay.keep(frame(6));
  CHECK(to_hex(replay.rest()) == frames(3, 6));
  CHECK(to_hex(replay.rest()) == frames(3, 6));  // also for a second connection
  replay.forget(6);
  CHECK(replay.rest().empty());
  replay.keep(frame(7));
  CHECK(to_hex(replay.rest()) == frames(7, 7));
}

TEST_CASE("replay: nothing was sent and nothing is counted") {
  Replay replay;
  replay.forget(0);
  CHECK(replay.rest().empty());
  CHECK(outcome([&] { replay.forget(1); }) == "protocol");
}

TEST_CASE("replay: a count that goes back or past what was sent is a protocol error") {
  for (const uint64_t taken : {uint64_t{0}, uint64_t{1}, uint64_t{6}, UINT64_MAX}) {
    Replay replay = with(5);
    replay.forget(2);
    INFO(taken);
    CHECK(outcome([&] { replay.forget(taken); }) == "protocol");
  }
}

TEST_CASE("replay: a peer that counts nothing is a protocol error and not memory without end") {
  Replay many;
  for (size_t i = 0; i < kMaxUncounted; ++i) many.keep(frame(1));
  CHECK(outcome([&] { many.keep(frame(1)); }) == "protocol");

  Replay large;
  constexpr size_t kSize = 64 << 10;
  for (size_t i = 0; i < kMaxUncountedBytes / kSize; ++i) large.keep(frame(1, kSize));
  CHECK(outcome([&] { large.keep(frame(1, 1)); }) == "protocol");
}

TEST_CASE("replay: what was counted makes room") {
  Replay replay;
  for (uint64_t i = 1; i <= 2 * kMaxUncounted; ++i) {
    replay.keep(frame(1));
    if (i % 64 == 0) replay.forget(i);
  }
  Replay large;
  constexpr size_t kSize = 1 << 20;
  for (uint64_t i = 1; i <= 2 * (kMaxUncountedBytes / kSize); ++i) {
    large.keep(frame(1, kSize));
    large.forget(i);
  }
  CHECK(large.rest().empty());
}

}  // namespace
}  // namespace zx
