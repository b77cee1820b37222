// SPDX-License-Identifier: MIT
// zsend's Lane over a pair of sockets, without a receiver: the test reads and answers frames.
#include "zsend/lane.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "tests/unit/outcome.h"

namespace zx {
namespace {

class Fixture {
 public:
  Fixture() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    const auto idle = std::chrono::seconds(5);
    link.emplace(make_plain_channel(Socket(UniqueFd(fds[0]), "receiver", idle)));
    peer.emplace(make_plain_channel(Socket(UniqueFd(fds[1]), "sender", idle)));
    engines.emplace(link->channel(), EngineOptions{});
    lane.emplace(*link, *engines, console);
  }

  SignalWatch signals;
  Console console{"test", signals};
  std::optional<Link> link, peer;
  std::optional<SendEngines> engines;
  std::optional<Lane> lane;

  void send(uint64_t entry, const std::string& text, uint16_t attempt = 0) {
    const auto bytes = as_bytes(text);
    Block block{.entry = entry, .length = static_cast<uint32_t>(text.size()), .attempt = attempt};
    block.bytes = std::make_shared<const Bytes>(bytes.begin(), bytes.end());
    (void)lane->send(std::move(block), nullptr);
    link->flush();
  }
  // What the receiver reads: DATA, its content, and the DIGEST of it.
  FrameHeader receive(std::string* text) {
    const FrameHeader data = peer->read().header;
    REQUIRE((data.type == FrameType::Data));
    text->resize(data.length);
    peer->channel().recv_exact(std::as_writable_bytes(std::span(*text)));
    const Frame digest = peer->read();
    REQUIRE((digest.header.type == FrameType::DataDigest));
    CHECK((decode<BlockDigest>(digest.body).digest == digest_of(as_bytes(*text))));
    return data;
  }
  static Frame answer(FrameType type, uint64_t entry, Bytes body = {}) {
    return {{type, 0, 0, entry, 0}, std::move(body)};
  }
};

TEST_CASE("Lane: a block is in it until its ACK") {
  Fixture t;
  CHECK(t.lane->empty());
  t.send(1, "hello");
  t.send(2, "world");
  std::string text;
  CHECK(t.receive(&text).entry == 1);
  CHECK(text == "hello");
  const auto second = t.lane->take_answer(t.answer(FrameType::Ack, 2));
  REQUIRE(second);
  CHECK(second->block.entry == 2);
  CHECK(second->kept.length == 5);
  CHECK_FALSE(second->changed);
  CHECK_FALSE(t.lane->empty());
  CHECK(outcome([&] { (void)t.lane->take_answer(t.answer(FrameType::Ack, 2)); }) == "protocol");
  REQUIRE(t.lane->take_answer(t.answer(FrameType::Ack, 1)));
  CHECK(t.lane->empty());
}

TEST_CASE("Lane: RETRY sends the block again, but not too often") {
  Fixture t;
  t.send(1, "hello");
  std::string text;
  (void)t.receive(&text);
  for (int i = 0; i < kMaxBlockRetries; ++i) {
    text.clear();
    CHECK_FALSE(t.lane->take_answer(t.answer(FrameType::Retry, 1, encode(Retry{5}))));
    CHECK(t.receive(&text).flags == kFlagResent);
    CHECK(text == "hello");
  }
  CHECK(outcome([&] {
          (void)t.lane->take_answer(t.answer(FrameType::Retry, 1, encode(Retry{5})));
        }) == "protocol");
  CHECK(outcome([&] {
          (void)t.lane->take_answer(t.answer(FrameType::Retry, 1, encode(Retry{4})));
        }) == "protocol");
}

TEST_CASE("Lane: what a lost connection had on its way is given back, and counts that loss") {
  Fixture t;
  t.send(1, "hello");
  t.send(2, "world", 7);
  CHECK_FALSE(t.lane->take_answer(t.answer(FrameType::Retry, 1, encode(Retry{5}))));
  const std::vector<Block> back = t.lane->give_back();
  CHECK(t.lane->empty());
  REQUIRE(back.size() == 2);
  CHECK(back[0].entry == 2);
  CHECK(back[0].attempt == 8);
  CHECK(back[1].attempt == 1);
  std::string text;
  (void)t.receive(&text);
  CHECK(attempt_of(t.receive(&text).flags) == 7);
  CHECK(outcome([&] { t.send(3, "x", kMaxAttempt + 1); }) == "network");
}

TEST_CASE("Lane: a receiver may keep an earlier copy, but only one that was sent") {
  Fixture t;
  t.send(1, "hello");
  const BlockDigest other{5, digest_of(as_bytes(std::string("jello")))};
  CHECK(outcome([&] { (void)t.lane->take_answer(t.answer(FrameType::Ack, 1, encode(other))); }) ==
        "protocol");
  std::vector<Block> back = t.lane->give_back();
  back[0].sent = {other};  // what went over the lost connection
  (void)t.lane->send(std::move(back[0]), nullptr);
  const auto delivered = t.lane->take_answer(t.answer(FrameType::Ack, 1, encode(other)));
  REQUIRE(delivered);
  CHECK((delivered->kept == other));
  CHECK_FALSE(delivered->changed);
  t.send(2, "hello");
  back = t.lane->give_back();
  back[0].sent = {other};
  (void)t.lane->send(std::move(back[0]), nullptr);
  CHECK(t.lane->take_answer(t.answer(FrameType::Ack, 2))->changed);  // the last copy
}

TEST_CASE("Lane: it has room for so much content of small files") {
  Fixture t;
  constexpr size_t kBytes = 1 << 20;
  uint64_t id = 0;
  for (; t.lane->has_room(); ++id) {
    REQUIRE(id < 100);
    Block block{.entry = id, .length = kBytes};
    block.bytes = std::make_shared<const Bytes>(kBytes);
    (void)t.lane->send(std::move(block), nullptr);
    (void)t.link->take_queued();  // nobody reads here
  }
  CHECK(id == 32);
  (void)t.lane->take_answer(t.answer(FrameType::Ack, 3));
  CHECK(t.lane->has_room());
}

}  // namespace
}  // namespace zx
