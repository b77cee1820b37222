// SPDX-License-Identifier: MIT
// A link whose first connection is lost: what was counted comes again, what was not is dropped.
#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "common/session/link.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

// Two links over one pair of sockets.
struct Pair {
  std::unique_ptr<Channel> a, b;
  Pair() {
    int fds[2];
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    a = make_plain_channel(Socket(UniqueFd(fds[0]), "b", std::chrono::seconds(5)));
    b = make_plain_channel(Socket(UniqueFd(fds[1]), "a", std::chrono::seconds(5)));
  }
};

void send_end(Link& link, uint64_t entry) {
  link.send(FrameType::End, entry, 0, encode(EntryEnd{}));
}

TEST_CASE("link: messages that the peer has not taken come again, in order and once") {
  Pair first;
  Link sender(std::move(first.a)), receiver(std::move(first.b));
  sender.count_messages();
  receiver.count_messages();
  for (uint64_t id = 1; id <= 5; ++id) send_end(sender, id);
  for (uint64_t id = 1; id <= 3; ++id) CHECK(receiver.read().header.entry == id);
  CHECK(receiver.taken() == 3);
  sender.queue(FrameType::Retry, 9, 0, encode(Retry{1}));  // not counted, and not sent yet

  Pair second;
  sender.replace_channel(std::move(second.a), Role::Sender, receiver.taken(), 0);
  receiver.replace_channel(std::move(second.b), Role::Receiver, sender.taken(), 0);
  sender.flush();
  send_end(sender, 6);
  for (uint64_t id = 4; id <= 6; ++id) {
    const Frame frame = receiver.read();
    CHECK(frame.header.type == FrameType::End);
    CHECK(frame.header.entry == id);
  }
  CHECK(receiver.taken() == 6);
  CHECK_FALSE(receiver.read_if_any());
}

TEST_CASE("link: what a HEARTBEAT counts is forgotten, and cannot be counted again") {
  Pair first;
  Link sender(std::move(first.a)), receiver(std::move(first.b));
  sender.count_messages();
  receiver.count_messages();
  send_end(sender, 1);
  send_end(sender, 2);
  (void)receiver.read();
  (void)receiver.read();
  receiver.send_heartbeat();
  CHECK_FALSE(sender.read_if_any());
  Pair second;
  const auto replaced_by_one_that_has_taken = [&](uint64_t count) {
    return outcome([&] { sender.replace_channel(std::move(second.a), Role::Sender, count, 0); });
  };
  CHECK(replaced_by_one_that_has_taken(1) == "protocol");
  CHECK(replaced_by_one_that_has_taken(3) == "protocol");
}

TEST_CASE("link: ACKs that the sender has not heard come first on the next connection") {
  Pair first, second;
  Link sender(std::move(first.a)), receiver(std::move(first.b));
  sender.count_messages();
  receiver.count_messages();
  for (uint64_t offset = 0; offset < 5; ++offset) receiver.queue(FrameType::Ack, 1, offset, {});
  receiver.flush();
  for (uint64_t offset = 0; offset < 2; ++offset) CHECK(sender.read().header.offset == offset);
  receiver.queue(FrameType::Ack, 1, 5, {});  // did not leave
  CHECK(receiver.acks() == 6);
  CHECK(sender.acks() == 2);

  receiver.replace_channel(std::move(second.b), Role::Receiver, 0, sender.acks());
  sender.replace_channel(std::move(second.a), Role::Sender, 0, receiver.acks());
  receiver.send(FrameType::Ack, 1, 6, {});  // and one of the new connection
  for (uint64_t offset = 2; offset < 7; ++offset) {
    CHECK(sender.awaits_retold_acks() == (offset < 6));
    CHECK(sender.read().header.offset == offset);
    CHECK(sender.was_retold() == (offset < 6));
  }
  CHECK_FALSE(sender.read_if_any());
  CHECK(receiver.acks() == 7);
  CHECK(sender.acks() == 7);
}

TEST_CASE("link: a count of ACKs that cannot be ends the session") {
  Pair first;
  Link sender(std::move(first.a)), receiver(std::move(first.b));
  sender.count_messages();
  receiver.count_messages();
  receiver.send(FrameType::Ack, 1, 0, {});
  (void)sender.read();
  const auto replaced = [](Link& link, Role role, uint64_t acks) {
    Pair next;
    return outcome([&] { link.replace_channel(std::move(next.a), role, 0, acks); });
  };
  CHECK(replaced(receiver, Role::Receiver, 2) == "protocol");
  CHECK(replaced(sender, Role::Sender, 0) == "protocol");
  CHECK(replaced(sender, Role::Sender, 2 + kMaxUnacknowledged) == "protocol");
  CHECK(replaced(sender, Role::Sender, 1 + kMaxUnacknowledged) == "no error");
  // More than can be on their way are not kept.
  for (size_t i = 0; i < kMaxUnacknowledged; ++i) receiver.queue(FrameType::Ack, 1, i, {});
  CHECK(replaced(receiver, Role::Receiver, 0) == "protocol");
  CHECK(replaced(receiver, Role::Receiver, 1) == "no error");
}

TEST_CASE("link: a side that always has something to read tells what it has taken all the same") {
  Pair pair;
  Link sender(std::move(pair.a)), receiver(std::move(pair.b));
  sender.count_messages();
  receiver.count_messages();
  CHECK(outcome([&] {
          send_end(sender, 1);
          for (uint64_t id = 2; id < kMaxUncounted + 100; ++id) {
            send_end(sender, id);
            (void)receiver.read();
            receiver.queue(FrameType::Ack, id, 0, {});
            receiver.flush();
            while (sender.read_if_any()) {
            }
          }
        }) == "no error");
}

TEST_CASE("link: messages that nobody counts end the session, before they fill the memory") {
  Replay replay;
  CHECK(outcome([&] {
          for (size_t i = 0; i <= kMaxUncounted; ++i) replay.keep(Bytes(1));
        }) == "protocol");
  Replay large;
  CHECK(outcome([&] {
          for (size_t i = 0; i < 3; ++i) large.keep(Bytes(kMaxUncountedBytes / 2));
        }) == "protocol");
}

TEST_CASE("link: the end of the stream between two frames is told from one within a frame") {
  Pair pair;
  Link reader(std::move(pair.a));
  CHECK_FALSE(reader.ended());
  SECTION("between") {
    pair.b->finish_sending();
    CHECK(outcome([&] { (void)reader.read(); }) == "network");
    CHECK(reader.ended());
  }
  SECTION("within") {
    const Bytes half(10);
    pair.b->send(half, More::No);
    pair.b->finish_sending();
    CHECK(outcome([&] { (void)reader.read(); }) == "network");
    CHECK_FALSE(reader.ended());
  }
}

}  // namespace
}  // namespace zx
