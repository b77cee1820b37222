// SPDX-License-Identifier: MIT
#include "zrecv/arrived.h"

#include <malloc.h>

#include <catch2/catch.hpp>
#include <functional>
#include <random>
#include <set>

#include "common/base/error.h"

namespace zx {
namespace {

constexpr uint32_t kBlock = 100;

FrameHeader data(uint64_t offset, uint32_t length, uint16_t attempt = 0, bool resent = false) {
  return {FrameType::Data,
          static_cast<uint16_t>(attempt_flags(attempt) | (resent ? kFlagResent : 0)), length, 1,
          offset};
}

Digest number(uint64_t value) {
  Digest out{};
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(value >> (8 * i));
  return out;
}

// A block comes and is what was sent.
void receive(Arrived& a, uint64_t offset, uint32_t length, uint16_t lane = 0,
             uint16_t attempt = 0) {
  REQUIRE(a.claim(data(offset, length, attempt), lane).kind == Arrived::Claim::Take);
  REQUIRE(a.settle(lane, number(offset), {length, number(offset)}).kind ==
          Arrived::Settled::Verified);
}

Arrived::Settled damage(Arrived& a, uint32_t length, uint16_t lane = 0) {
  return a.settle(lane, number(1), {length, number(2)});
}

std::string violation(const std::function<void()>& what) {
  try {
    what();
  } catch (const Error& error) {
    CHECK(error.status() == ExitStatus::Protocol);
    return error.what();
  }
  return "";
}

Digest sum_of(const std::vector<std::pair<uint64_t, uint32_t>>& blocks) {
  DigestSum sum;
  for (const auto& [offset, length] : blocks) sum.add(block_part(offset, length, number(offset)));
  return sum.value();
}

TEST_CASE("Arrived: blocks in turn make a complete entry") {
  Arrived a(250, kBlock, BlockOrder::InTurn);
  CHECK_FALSE(a.complete(250));
  receive(a, 0, 100);
  receive(a, 100, 100);
  CHECK(a.prefix() == 200);
  receive(a, 200, 50);
  CHECK(a.complete(250));
  CHECK(a.prefix() == 250);
  CHECK(a.sum(250) == sum_of({{0, 100}, {100, 100}, {200, 50}}));
  CHECK_FALSE(a.owes());
  const Arrived empty(0, kBlock, BlockOrder::InTurn);
  CHECK(empty.complete(0));
}

TEST_CASE("Arrived: what breaks the protocol") {
  const auto in_turn = [](const std::function<void(Arrived&)>& what) {
    Arrived a(1000, kBlock, BlockOrder::InTurn);
    receive(a, 0, 100);
    return violation([&] { what(a); });
  };
  const auto any = [](const std::function<void(Arrived&)>& what) {
    Arrived a(1000, kBlock, BlockOrder::Any);
    receive(a, 0, 100);
    return violation([&] { what(a); });
  };
  const auto claims = [](const FrameHeader& h, uint16_t lane = 0) {
    return [=](Arrived& a) { a.claim(h, lane); };
  };
  CHECK(in_turn(claims(data(100, 0))) == "peer sent DATA without data");
  CHECK(in_turn(claims(data(100, 101))) == "peer sent DATA longer than a block");
  CHECK(in_turn(claims(data(950, 51))) == "peer sent DATA past the announced size");
  CHECK(in_turn(claims(data(UINT64_MAX, 1))) == "peer sent DATA past the announced size");
  CHECK(in_turn(claims(data(200, 100))) == "peer sent DATA out of order");
  CHECK(in_turn(claims(data(0, 100))) == "peer sent DATA out of order");
  CHECK(in_turn(claims(data(0, 100, 0, true))) == "peer sent a block again that was not asked for");
  CHECK(any(claims(data(200, 100))).empty());
  CHECK(any(claims(data(50, 100))) == "peer sent DATA over what it has sent before");
  CHECK(any(claims(data(50, 100, 1))) == "peer sent DATA over what it has sent before");
  CHECK(any(claims(data(0, 100))) == "peer sent DATA over what it has sent before");
  CHECK(in_turn([](Arrived& a) {
          a.claim(data(100, 100), 0);
          a.claim(data(200, 100), 0);
        }) == "peer sent DATA before the DIGEST of the block before");
  CHECK(in_turn([](Arrived& a) { a.settle(0, {}, {}); }) == "peer sent a DIGEST without its DATA");
  CHECK(in_turn([](Arrived& a) {
          a.claim(data(100, 100), 0);
          a.settle(0, {}, {101, {}});
        }) == "peer sent a DIGEST longer than its DATA");
  CHECK(in_turn([](Arrived& a) {
          a.claim(data(100, 100), 0);
          a.settle(0, {}, {40, {}});
          a.claim(data(200, 100), 0);
        }) == "peer sent DATA after a shorter block");
  CHECK(in_turn([](Arrived& a) { a.hole(100, 0); }) == "peer sent HOLE of no length");
  CHECK(in_turn([](Arrived& a) { a.hole(900, 101); }) == "peer sent HOLE past the announced size");
  CHECK(in_turn([](Arrived& a) { a.hole(99, 2); }) ==
        "peer sent HOLE over what it has sent before");
  CHECK(in_turn([](Arrived& a) { (void)a.complete(99); }) ==
        "peer sent END with a size that does not fit the data");
  CHECK(in_turn([](Arrived& a) { (void)a.complete(1001); }) ==
        "peer sent END with a size that does not fit the data");
  // A lane that asks for its damaged block and gets it on another one, or in another length.
  CHECK(any([](Arrived& a) {
          a.claim(data(100, 100), 1);
          damage(a, 100, 1);
          a.claim(data(100, 100, 0, true), 2);
        }) == "peer sent a block again that was not asked for");
  CHECK(any([](Arrived& a) {
          a.claim(data(100, 100), 1);
          damage(a, 60, 1);
          a.claim(data(100, 100, 0, true), 1);
        }) == "peer sent a block again that was not asked for");
}

TEST_CASE("Arrived: ranges with gaps are bounded") {
  Arrived a(UINT64_MAX / 2, kBlock, BlockOrder::Any);
  const std::string text = violation([&] {
    for (uint64_t i = 0; i <= kMaxCoveredRanges; ++i) {
      INFO(i);
      CHECK(a.prefix() == (i == 0 ? 0 : 100));
      a.hole(i * 200, 100);
    }
  });
  CHECK(text == "peer sent HOLE with too many gaps");
}

TEST_CASE("Arrived: a damaged block comes again over its lane, so often and no more") {
  Arrived a(200, kBlock, BlockOrder::InTurn);
  REQUIRE(a.claim(data(0, 100), 0).kind == Arrived::Claim::Take);
  auto settled = damage(a, 100);
  CHECK(settled.kind == Arrived::Settled::Again);
  CHECK(settled.length == 100);
  CHECK(a.owes());
  receive(a, 100, 100);
  CHECK(a.prefix() == 0);
  CHECK_FALSE(a.complete(200));
  REQUIRE(a.claim(data(0, 100, 0, true), 0).kind == Arrived::Claim::Take);
  REQUIRE(a.settle(0, number(0), {100, number(0)}).kind == Arrived::Settled::Verified);
  CHECK(a.prefix() == 200);
  CHECK(a.complete(200));

  Arrived b(200, kBlock, BlockOrder::InTurn);
  REQUIRE(b.claim(data(0, 100), 0).kind == Arrived::Claim::Take);
  for (int i = 1; i <= kMaxBlockRetries; ++i) {
    REQUIRE(damage(b, 100).kind == Arrived::Settled::Again);
    REQUIRE(b.claim(data(0, 100, 0, true), 0).kind == Arrived::Claim::Take);
  }
  settled = damage(b, 100);
  CHECK(settled.kind == Arrived::Settled::Broken);
  CHECK(settled.attempts == kMaxBlockRetries + 1);

  Arrived c(kMaxFileBytes, kBlock, BlockOrder::InTurn);
  for (uint64_t i = 0; i <= kMaxDamagedBlocks; ++i) {
    REQUIRE(c.claim(data(i * 100, 100), 0).kind == Arrived::Claim::Take);
    CHECK(damage(c, 100).kind ==
          (i < kMaxDamagedBlocks ? Arrived::Settled::Again : Arrived::Settled::Broken));
  }
}

TEST_CASE("Arrived: a shorter block ends the content") {
  Arrived a(300, kBlock, BlockOrder::InTurn);
  receive(a, 0, 100);
  REQUIRE(a.claim(data(100, 100), 0).kind == Arrived::Claim::Take);
  REQUIRE(a.settle(0, number(100), {40, number(100)}).kind == Arrived::Settled::Verified);
  CHECK(a.prefix() == 140);
  CHECK_FALSE(violation([&] { (void)a.complete(200); }).empty());
  CHECK(a.complete(140));
  CHECK(a.sum(140) == sum_of({{0, 100}, {100, 40}}));
  // The same, damaged at first: what comes again is the content alone.
  Arrived b(300, kBlock, BlockOrder::InTurn);
  REQUIRE(b.claim(data(0, 100), 0).kind == Arrived::Claim::Take);
  CHECK(damage(b, 40).length == 40);
  REQUIRE(b.claim(data(0, 40, 0, true), 0).kind == Arrived::Claim::Take);
  REQUIRE(b.settle(0, number(0), {40, number(0)}).kind == Arrived::Settled::Verified);
  CHECK(b.complete(40));
}

TEST_CASE("Arrived: of a lost lane only what is verified stays") {
  Arrived a(400, kBlock, BlockOrder::InTurn);
  receive(a, 0, 100);
  REQUIRE(a.claim(data(100, 100), 0).kind == Arrived::Claim::Take);
  damage(a, 100);
  REQUIRE(a.claim(data(200, 100), 0).kind == Arrived::Claim::Take);
  a.release(0);
  CHECK(a.prefix() == 100);
  CHECK(a.owes());
  const auto known = a.claim(data(0, 100, 1), 0);
  CHECK(known.kind == Arrived::Claim::Known);
  CHECK(known.known.length == 100);
  CHECK(known.known.digest == number(0));
  receive(a, 100, 100, 0, 1);
  receive(a, 200, 100, 0, 1);
  receive(a, 300, 100);
  CHECK(a.complete(400));
  a.release(0);
  CHECK(a.claim(data(0, 100, 2), 0).kind == Arrived::Claim::Known);
  CHECK(a.sum(400) == sum_of({{0, 100}, {100, 100}, {200, 100}, {300, 100}}));
}

TEST_CASE("Arrived: a source that was cut meanwhile does not shorten what is there already") {
  Arrived a(400, kBlock, BlockOrder::InTurn);
  receive(a, 0, 100);
  receive(a, 100, 100);
  a.release(0);
  // Its ACK was lost, and the block comes again, shorter: the sender learns which copy counts.
  const auto again = a.claim(data(100, 50, 1), 0);
  CHECK(again.kind == Arrived::Claim::Known);
  CHECK(again.known.length == 100);
  CHECK(a.complete(200));
  CHECK(a.sum(200) == sum_of({{0, 100}, {100, 100}}));
}

TEST_CASE("Arrived: what came behind a block that was short the next time counts for nothing") {
  const auto order = GENERATE(BlockOrder::InTurn, BlockOrder::Any);
  Arrived a(400, kBlock, order);
  receive(a, 0, 100);
  a.claim(data(100, 100), 0);
  damage(a, 100, 0);
  receive(a, 200, 100);
  const uint16_t lane = order == BlockOrder::Any ? 1 : 0;
  receive(a, 300, 100, lane);
  a.release(0);
  REQUIRE(a.claim(data(100, 100, 1), 0).kind == Arrived::Claim::Take);
  a.settle(0, number(100), {30, number(100)});
  CHECK_THROWS_WITH(a.complete(120), "peer sent END with a size that does not fit the data");
  CHECK(a.complete(130));
  CHECK(a.sum(130) == sum_of({{0, 100}, {100, 30}}));
}

TEST_CASE("Arrived: a block that its sender has moved to another lane") {
  Arrived a(400, kBlock, BlockOrder::Any);
  REQUIRE(a.claim(data(0, 100), 1).kind == Arrived::Claim::Take);
  const auto rival = a.claim(data(0, 100, 1), 2);
  CHECK(rival.kind == Arrived::Claim::Rival);
  CHECK(rival.rival == 1);
  a.release(1);
  receive(a, 0, 100, 2, 1);
  CHECK(a.claim(data(0, 100), 1).kind == Arrived::Claim::Stale);
  CHECK(a.claim(data(0, 100, 1), 3).kind == Arrived::Claim::Stale);
  // A damaged one has no rival: nobody is writing it.
  REQUIRE(a.claim(data(100, 100), 1).kind == Arrived::Claim::Take);
  damage(a, 100, 1);
  receive(a, 100, 100, 2, 1);
  CHECK(a.claim(data(100, 100, 0, true), 1).kind == Arrived::Claim::Stale);
  a.release(1);
  CHECK(a.prefix() == 200);
}

TEST_CASE("Arrived: holes count as content, also when they are told late") {
  Arrived a(300, kBlock, BlockOrder::InTurn);
  a.hole(100, 100);
  CHECK(a.prefix() == 0);
  receive(a, 0, 100, 0, 1);
  CHECK(a.prefix() == 200);
  receive(a, 200, 100);
  CHECK(a.complete(300));
}

TEST_CASE("Arrived: its memory does not grow with the size") {
  const auto order = GENERATE(BlockOrder::InTurn, BlockOrder::Any);
  Arrived a(kMaxFileBytes, kBlock, order);
  uint64_t at = 0;
  const auto receive_many = [&](int blocks) {
    for (int i = 0; i < blocks; ++i, at += kBlock) {
      const auto lane = static_cast<uint16_t>(order == BlockOrder::Any ? i % 3 : 0);
      (void)a.claim(data(at, kBlock), lane);
      (void)a.settle(lane, number(at), {kBlock, number(at)});
    }
  };
  receive_many(10 * static_cast<int>(kMaxUnacknowledged));
  const size_t before = mallinfo2().uordblks;
  receive_many(100'000);
  CHECK(mallinfo2().uordblks < before + 10'000);
}

TEST_CASE("Arrived: nothing but a bounded number of copies is remembered") {
  Arrived a(kMaxFileBytes, kBlock, BlockOrder::InTurn);
  const uint64_t count = kMaxUnacknowledged + 1;
  for (uint64_t i = 0; i < count; ++i) receive(a, i * 100, 100);
  a.release(0);
  // More than a sender may have without an ACK.
  CHECK(violation([&] { a.claim(data(0, 100, 1), 0); }) ==
        "peer sent DATA over what it has sent before");
  CHECK(a.claim(data(100, 100, 1), 0).kind == Arrived::Claim::Known);
}

// A sender of one entry over three lanes, each of which can be lost at any time, with whatever is
// on its way in both directions.
struct Wire {
  struct Sent {
    uint64_t offset = 0;
    uint16_t attempt = 0;
    bool resent = false;
  };
  static constexpr uint64_t kBlocks = 60;
  std::mt19937_64 random;
  Arrived arrived{kBlocks * kBlock - 30, kBlock, BlockOrder::Any};
  std::array<std::deque<Sent>, 3> on_the_way;
  std::array<std::vector<Sent>, 3> unacknowledged;
  std::deque<Sent> to_send;
  std::set<uint64_t> acknowledged;
  std::map<uint64_t, int> damages;

  bool chance(unsigned percent) { return random() % 100 < percent; }
  static uint32_t length_of(uint64_t offset) {
    return offset / kBlock + 1 == kBlocks ? kBlock - 30 : kBlock;
  }
  void send(size_t lane) {
    if (to_send.empty()) return;
    on_the_way[lane].push_back(to_send.front());
    unacknowledged[lane].push_back(to_send.front());
    to_send.pop_front();
  }
  // The sender's view: what it has no ACK for goes again, on any lane.
  void lose_at_sender(size_t lane) {
    for (Sent block : unacknowledged[lane]) {
      if (block.attempt >= 15) continue;
      to_send.push_back({block.offset, static_cast<uint16_t>(block.attempt + 1), false});
    }
    unacknowledged[lane].clear();
  }
  void lose_at_receiver(size_t lane) {
    on_the_way[lane].clear();
    arrived.release(static_cast<uint16_t>(lane));
  }
  void acknowledge(size_t lane, uint64_t offset) {
    std::erase_if(unacknowledged[lane], [&](const Sent& s) { return s.offset == offset; });
    acknowledged.insert(offset);
  }
  // One frame is read at the receiver; false when that ends the lane.
  bool deliver(size_t lane) {
    if (on_the_way[lane].empty()) return true;
    const Sent block = on_the_way[lane].front();
    on_the_way[lane].pop_front();
    const auto number_of_lane = static_cast<uint16_t>(lane);
    const uint32_t length = length_of(block.offset);
    const auto claim =
        arrived.claim(data(block.offset, length, block.attempt, block.resent), number_of_lane);
    if (claim.kind == Arrived::Claim::Stale) return false;
    REQUIRE(claim.kind != Arrived::Claim::Rival);  // one thread: nothing stays claimed
    if (claim.kind == Arrived::Claim::Known) {
      REQUIRE(claim.known.digest == number(block.offset));
    } else {
      if (chance(5)) return false;  // lost in the middle
      const bool bad = chance(10) && ++damages[block.offset] <= kMaxBlockRetries;
      const auto settled = arrived.settle(number_of_lane, number(bad ? 1 : block.offset),
                                          {length, number(block.offset)});
      REQUIRE(settled.kind != Arrived::Settled::Broken);
      if (settled.kind == Arrived::Settled::Again) {
        on_the_way[lane].push_back({block.offset, block.attempt, true});
        return true;
      }
    }
    if (!chance(10)) acknowledge(lane, block.offset);  // else the ACK is still on its way
    return true;
  }
};

TEST_CASE("Arrived: losses, damage and late copies in any order end with the right sum") {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    INFO(seed);
    Wire w;
    w.random.seed(seed);
    for (uint64_t i = 0; i < Wire::kBlocks; ++i) w.to_send.push_back({i * kBlock, 0, false});
    uint64_t prefix = 0;
    std::array<bool, 3> given_up{};  // by the sender, while the receiver still reads
    for (int step = 0; w.acknowledged.size() < Wire::kBlocks; ++step) {
      REQUIRE(step < 100000);
      const size_t lane = w.random() % 3;
      if (!given_up[lane] && w.chance(50)) w.send(lane);
      if (!given_up[lane] && step < 3000 && w.chance(2)) {
        w.lose_at_sender(lane);
        given_up[lane] = true;
      }
      const bool goes_on = w.deliver(lane);
      if (!goes_on || (given_up[lane] && w.chance(20))) {
        if (!given_up[lane]) w.lose_at_sender(lane);
        w.lose_at_receiver(lane);
        given_up[lane] = false;
      }
      // An ACK that never comes is a lost lane in the end.
      if (step % 50 == 49 && !given_up[lane] && w.on_the_way[lane].empty() &&
          !w.unacknowledged[lane].empty()) {
        w.lose_at_sender(lane);
        w.lose_at_receiver(lane);
      }
      REQUIRE(w.arrived.prefix() >= prefix);
      prefix = w.arrived.prefix();
    }
    std::vector<std::pair<uint64_t, uint32_t>> blocks;
    for (uint64_t i = 0; i < Wire::kBlocks; ++i)
      blocks.emplace_back(i * kBlock, Wire::length_of(i * kBlock));
    // Copies that are still on their way are stale or known, and change nothing.
    for (size_t lane = 0; lane < 3; ++lane) w.lose_at_receiver(lane);
    REQUIRE(w.arrived.complete(Wire::kBlocks * kBlock - 30));
    REQUIRE(w.arrived.sum(Wire::kBlocks * kBlock - 30) == sum_of(blocks));
  }
}

}  // namespace
}  // namespace zx
