// SPDX-License-Identifier: MIT
// What a channel reads ahead: many short messages by one system call, the content of small files
// with them, and of large blocks nothing but their beginning.
#include <sys/ioctl.h>

#include "common/session/link.h"
#include "tests/unit/engine_fixture.h"

namespace zx {
namespace {

int waiting(const Channel& channel) {
  int bytes = 0;
  REQUIRE(ioctl(channel.socket().fd(), FIONREAD, &bytes) == 0);
  return bytes;
}

void until_waiting(const Channel& channel, size_t bytes) {
  pollfd p{channel.socket().fd(), POLLIN, 0};
  const auto mark = static_cast<int>(bytes);
  REQUIRE(setsockopt(p.fd, SOL_SOCKET, SO_RCVLOWAT, &mark, sizeof mark) == 0);
  REQUIRE(poll(&p, 1, 20'000) == 1);
}

TEST_CASE("read ahead: many messages come at once, and each is taken once") {
  Connection c = connect_here();
  Link sender(std::move(c.sender)), receiver(std::move(c.receiver));
  for (uint64_t id = 1; id <= 100; ++id) sender.queue(FrameType::Ack, id, 0, {});
  const size_t bytes = sender.queued_bytes();
  sender.flush();
  until_waiting(receiver.channel(), bytes);
  for (uint64_t id = 1; id <= 100; ++id) {
    CHECK(receiver.read().header.entry == id);
    CHECK(waiting(receiver.channel()) == 0);
  }
  CHECK_FALSE(receiver.channel().readable_now());
}

TEST_CASE("read ahead: behind the header of a long block nothing is") {
  Connection c = connect_here();
  Link sender(std::move(c.sender)), receiver(std::move(c.receiver));
  constexpr uint32_t kLong = 100'000;
  const Buffer content = pattern(kLong);
  for (int i = 0; i < 2; ++i) {
    sender.queue_data_header(1, 0, kLong, 0);
    sender.queue_payload(content);
    sender.queue(FrameType::DataDigest, 1, 0, encode(BlockDigest{kLong, {}}));
    const size_t bytes = sender.queued_bytes();
    sender.flush();
    until_waiting(receiver.channel(), bytes);
    CHECK(receiver.read().header.type == FrameType::Data);
    CHECK(receiver.channel().held().empty() == (i == 1));  // once it is known what comes
    discard(receiver.channel(), kLong);
    CHECK(receiver.read().header.type == FrameType::DataDigest);
  }
}

TEST_CASE("read ahead: the end of the stream, and what came before it") {
  Connection c = connect_here();
  c.sender->send(bytes_of("abc"), More::No);
  c.sender->finish_sending();
  c.receiver->read_ahead();
  Buffer two(2);
  CHECK(c.receiver->recv_some(two) == 2);
  CHECK(c.receiver->readable_now());
  CHECK(c.receiver->recv_some(two) == 1);
  c.receiver->read_ahead();
  CHECK(c.receiver->held().empty());
  CHECK(c.receiver->recv_some(two) == 0);
}

TEST_CASE("read ahead: every engine takes first what is held") {
  for (const Engine engine : kRecvEngines)
    for (const size_t held : {size_t{1}, size_t{4095}, size_t{40'000}}) {
      INFO(engine_name(engine) << " " << held);
      Connection c = connect_here();
      Scratch file;
      const Buffer content = pattern(3'000'000);
      const Buffer behind = bytes_of("next");
      c.sender->send(std::span(content).first(held), More::No);
      until_waiting(*c.receiver, held);
      c.receiver->read_ahead();
      REQUIRE(c.receiver->held().size() == held);
      auto sending = std::async(std::launch::async, [&] {
        c.sender->send(std::span(content).subspan(held), More::No);
        c.sender->send(behind, More::No);
      });
      const auto receiver = make_block_receiver(*c.receiver, {engine, ""}, make_splice_pipe());
      uint64_t told = 0;
      CHECK(receiver->receive(file.fd(), 0, 3'000'000, [&](uint64_t n, auto) { told += n; }) == 0);
      sending.get();
      CHECK(told == content.size());
      CHECK(file.content() == content);
      Buffer rest(behind.size());
      c.receiver->recv_exact(rest);
      CHECK(rest == behind);
    }
}

TEST_CASE("read ahead: a block that is held and cannot be written is dropped as a whole") {
  Connection c = connect_here();
  const UniqueFd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  c.sender->send(pattern(9000), More::No);
  c.sender->send(bytes_of("next"), More::No);
  until_waiting(*c.receiver, 9004);
  c.receiver->read_ahead();
  const auto receiver = make_block_receiver(*c.receiver, {Engine::Splice, ""}, make_splice_pipe());
  CHECK(receiver->receive(full.get(), 0, 9000, [](uint64_t, auto) {}) == ENOSPC);
  Buffer rest(4);
  c.receiver->recv_exact(rest);
  CHECK(rest == bytes_of("next"));
}

}  // namespace
}  // namespace zx
