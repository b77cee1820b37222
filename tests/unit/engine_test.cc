// SPDX-License-Identifier: MIT
// BlockSender and BlockReceiver over a real TCP connection to this machine.
#include <catch2/catch.hpp>
#include <csignal>

#include "tests/unit/engine_fixture.h"

namespace zx {
namespace {

// --- sending

struct Sent {
  SentBlock block;
  Digest file_digest{};
  uint64_t progress = 0;
  Buffer received;  // head and payload, as they arrived
  std::string why;
  Engine engine{};
};

constexpr std::string_view kHead = "messages and header";

Sent send_block(Engine engine, const std::string& path, uint64_t offset, uint32_t length) {
  const Connection c = connect_here();
  const SourceFile file(path);
  Sent out;
  out.received.resize(kHead.size() + length);
  auto receiving = std::async(std::launch::async, [&] { c.receiver->recv_exact(out.received); });
  const auto sender = make_block_sender(*c.sender, {engine, ""});
  Hasher whole;
  out.block = sender->send(file, offset, length, bytes_of(kHead), &whole,
                           [&](uint64_t bytes) { out.progress += bytes; });
  c.sender->send({}, More::No);
  c.sender->finish_sending();
  receiving.get();
  std::byte more{};
  CHECK(c.receiver->recv_some({&more, 1}) == 0);  // nothing after the promised length
  out.file_digest = whole.value();
  out.why = sender->why();
  out.engine = sender->engine();
  return out;
}

TEST_CASE("BlockSender: every engine sends the same bytes with the same digest") {
  constexpr size_t kSize = (3 << 20) + 17;
  const Buffer data = pattern(kSize);
  const Scratch file(data);
  for (uint64_t offset : {uint64_t{0}, uint64_t{12345}})
    for (uint32_t length : {1U, 4095U, 4096U, 4097U, (256U << 10) - 1, 256U << 10, (256U << 10) + 1,
                            (512U << 10) + 1, static_cast<uint32_t>(kSize - offset)})
      for (Engine engine : kSendEngines) {
        INFO(engine_name(engine) << " offset " << offset << " length " << length);
        const Sent sent = send_block(engine, file.path(), offset, length);
        const auto part = std::span(data).subspan(offset, length);
        Buffer expected = bytes_of(kHead);
        expected.insert(expected.end(), part.begin(), part.end());
        CHECK((sent.received == expected));
        CHECK(sent.block.length == length);
        CHECK(sent.block.read_error == 0);
        CHECK(hex(sent.block.digest) == hex(digest_of(part)));
        CHECK(hex(sent.file_digest) == hex(digest_of(part)));
        CHECK(sent.progress == length);
        CHECK(sent.engine == expected_engine(engine, file.fd()));
      }
}

TEST_CASE("BlockSender: what the file does not have is padded with zeros and said") {
  const Buffer data = pattern(100000);
  const Scratch file(data);
  struct {
    uint64_t offset;
    uint32_t length, there;
  } const rows[] = {
      {0, 300000, 100000}, {99999, 2, 1},     {50000, 1 << 20, 50000},
      {100000, 500, 0},    {1 << 30, 500, 0},
  };
  for (const auto& row : rows)
    for (Engine engine : kSendEngines) {
      INFO(engine_name(engine) << " offset " << row.offset << " length " << row.length);
      const Sent sent = send_block(engine, file.path(), row.offset, row.length);
      Buffer part;
      if (row.there > 0) {
        const auto there = std::span(data).subspan(row.offset, row.there);
        part.assign(there.begin(), there.end());
      }
      CHECK(sent.block.length == row.there);
      CHECK(sent.block.read_error == 0);
      CHECK(hex(sent.block.digest) == hex(digest_of(part)));
      CHECK(hex(sent.file_digest) == hex(digest_of(part)));
      Buffer expected = bytes_of(kHead);
      expected.insert(expected.end(), part.begin(), part.end());
      expected.resize(kHead.size() + row.length);
      CHECK((sent.received == expected));
    }
}

TEST_CASE("BlockSender: several blocks in a row keep to their places") {
  const Buffer data = pattern(700000);
  const Scratch scratch(data);
  for (Engine engine : kSendEngines) {
    INFO(engine_name(engine));
    const Connection c = connect_here();
    const SourceFile file(scratch.path());
    Buffer received(data.size());
    auto receiving = std::async(std::launch::async, [&] { c.receiver->recv_exact(received); });
    const auto sender = make_block_sender(*c.sender, {engine, ""});
    Hasher whole;
    for (uint32_t at = 0; at < data.size(); at += 100000) {
      const SentBlock block = sender->send(file, at, 100000, {}, &whole, [](uint64_t) {});
      CHECK(hex(block.digest) == hex(digest_of(std::span(data).subspan(at, 100000))));
    }
    c.sender->finish_sending();
    receiving.get();
    CHECK((received == data));
    CHECK(hex(whole.value()) == hex(digest_of(data)));
  }
}

TEST_CASE("BlockSender: without a digest of the file none is needed") {
  const Buffer data = pattern(1000);
  const Scratch scratch(data);
  for (Engine engine : kSendEngines) {
    const Connection c = connect_here();
    const SourceFile file(scratch.path());
    const SentBlock block =
        make_block_sender(*c.sender, {engine, ""})->send(file, 0, 1000, {}, nullptr, [](uint64_t) {
        });
    CHECK(hex(block.digest) == hex(digest_of(data)));
  }
}

TEST_CASE("BlockSender: a source that cannot be read is told and the promised length is kept") {
  // Address 0 of a process is never mapped: reading it is EIO.
  for (Engine engine : kSendEngines) {
    INFO(engine_name(engine));
    const Sent sent = send_block(engine, "/proc/self/mem", 0, 100000);
    CHECK(sent.block.read_error == EIO);
    CHECK(sent.block.length == 0);
    Buffer expected = bytes_of(kHead);
    expected.resize(kHead.size() + 100000);
    CHECK((sent.received == expected));
  }
}

TEST_CASE("BlockSender: a peer that is gone is a network error") {
  const Scratch scratch(pattern(8 << 20));
  for (Engine engine : kSendEngines) {
    INFO(engine_name(engine));
    Connection c = connect_here();
    const SourceFile file(scratch.path());
    const auto sender = make_block_sender(*c.sender, {engine, ""});
    c.receiver.reset();
    const auto old = std::signal(SIGPIPE, SIG_IGN);  // as both programs have it
    CHECK(outcome([&] {
            for (int i = 0; i < 20; ++i)
              sender->send(file, 0, 8 << 20, bytes_of(kHead), nullptr, [](uint64_t) {});
          }) == "network");
    std::signal(SIGPIPE, old);
  }
}

TEST_CASE("read_private_block: digest and bytes belong together and the tail is zeros") {
  const Buffer data = pattern(100000);
  const Scratch scratch(data);
  const SourceFile file(scratch.path());

  const PrivateBlock inside = read_private_block(file, 500, 1000);
  CHECK(inside.block.length == 1000);
  CHECK((inside.bytes == Buffer(data.begin() + 500, data.begin() + 1500)));
  CHECK(hex(inside.block.digest) == hex(digest_of(inside.bytes)));

  const PrivateBlock at_end = read_private_block(file, 99000, 5000);
  CHECK(at_end.block.length == 1000);
  CHECK(at_end.block.read_error == 0);
  CHECK(at_end.bytes.size() == 5000);
  CHECK((Buffer(at_end.bytes.begin() + 1000, at_end.bytes.end()) == Buffer(4000)));
  CHECK(hex(at_end.block.digest) == hex(digest_of(std::span(data).last(1000))));

  const PrivateBlock bad = read_private_block(SourceFile("/proc/self/mem"), 0, 4096);
  CHECK(bad.block.read_error == EIO);
  CHECK(bad.block.length == 0);
  CHECK((bad.bytes == Buffer(4096)));
}

// --- receiving

constexpr std::string_view kNext = "next frame";

std::unique_ptr<BlockReceiver> make_receiver(Channel& channel, Engine engine) {
  SplicePipe pipe = make_splice_pipe();
  REQUIRE(pipe.bytes > 0);
  return make_block_receiver(channel, {engine, ""}, std::move(pipe));
}

// Sends data and then a mark on another thread.
std::future<void> send_async(Channel& channel, const Buffer& data) {
  return std::async(std::launch::async, [&channel, &data] {
    channel.send(data, More::Yes);
    channel.send(bytes_of(kNext), More::No);
  });
}

// The mark is the next thing in the channel: nothing of the block was left or taken too much.
void check_in_step(Channel& channel) {
  Buffer next(kNext.size());
  channel.recv_exact(next);
  CHECK((next == bytes_of(kNext)));
}

TEST_CASE("BlockReceiver: every engine writes the same bytes at the same place") {
  for (size_t size : {size_t{1}, size_t{4095}, size_t{4096}, size_t{4097}, size_t{65537},
                      size_t{(8 << 20) - 1}, size_t{(3 << 20) + 5}})
    for (uint64_t offset : {uint64_t{0}, uint64_t{12345}})
      for (Engine engine : kRecvEngines) {
        INFO(engine_name(engine) << " size " << size << " offset " << offset);
        const Buffer data = pattern(size);
        const Scratch file;
        const Connection c = connect_here();
        const auto receiver = make_receiver(*c.receiver, engine);
        auto sending = send_async(*c.sender, data);
        uint64_t fresh = 0;
        bool readable = true;
        const int error = receiver->receive(
            file.fd(), offset, static_cast<uint32_t>(size),
            [&](uint64_t bytes, std::span<const std::byte> memory) {
              Buffer now(memory.begin(), memory.end());
              if (memory.empty()) {
                now.resize(bytes);
                readable = readable && pread_full(file.fd(), now, offset + fresh) ==
                                           static_cast<ssize_t>(bytes);
              }
              readable = readable && now.size() == bytes &&
                         std::equal(now.begin(), now.end(),
                                    data.begin() + static_cast<std::ptrdiff_t>(fresh));
              fresh += bytes;
            });
        CHECK(error == 0);
        check_in_step(*c.receiver);
        sending.get();
        CHECK(fresh == size);
        CHECK(readable);  // what was called fresh was in the file, or in the memory, at that moment
        Buffer expected(offset);
        expected.insert(expected.end(), data.begin(), data.end());
        CHECK((file.content() == expected));
        CHECK(receiver->engine() == expected_engine(engine, file.fd()));
      }
}

TEST_CASE("BlockReceiver: a failed write is returned and the frames stay in step") {
  struct {
    const char* path;
    int flags, error;
  } const rows[] = {{"/dev/full", O_WRONLY, ENOSPC}, {"/dev/null", O_RDONLY, EBADF}};
  for (const auto& row : rows)
    for (size_t size : {size_t{1}, size_t{100000}, size_t{(2 << 20) + 1}})
      for (Engine engine : kRecvEngines) {
        INFO(row.path << " " << engine_name(engine) << " size " << size);
        const UniqueFd file(open(row.path, row.flags | O_CLOEXEC));
        REQUIRE(file.valid());
        const Buffer data = pattern(size);
        const Connection c = connect_here();
        const auto receiver = make_receiver(*c.receiver, engine);
        auto sending = send_async(*c.sender, data);
        uint64_t fresh = 0;
        const int error = receiver->receive(file.get(), 0, static_cast<uint32_t>(size),
                                            [&](uint64_t bytes, auto) { fresh += bytes; });
        CHECK(error == row.error);
        CHECK(fresh == 0);
        check_in_step(*c.receiver);
        sending.get();
      }
}

TEST_CASE("BlockReceiver: the next block after a failed write is received whole") {
  const Buffer data = pattern(300000);
  // Not direct: that opens the file again, for writing.
  for (Engine engine : {Engine::Splice, Engine::ReadWrite}) {
    INFO(engine_name(engine));
    const Scratch file;
    const UniqueFd read_only(open(file.path().c_str(), O_RDONLY | O_CLOEXEC));
    const Connection c = connect_here();
    const auto receiver = make_receiver(*c.receiver, engine);
    auto sending = std::async(std::launch::async, [&] {
      c.sender->send(data, More::Yes);
      c.sender->send(data, More::No);
    });
    const auto length = static_cast<uint32_t>(data.size());
    CHECK(receiver->receive(read_only.get(), 0, length, [](uint64_t, auto) {}) == EBADF);
    CHECK(receiver->receive(file.fd(), 0, length, [](uint64_t, auto) {}) == 0);
    sending.get();
    CHECK((file.content() == data));
  }
}

TEST_CASE("BlockReceiver: a destination that splice does not know goes through a buffer") {
  const Buffer data = pattern((2 << 20) + 3);
  const Scratch file;
  const UniqueFd append(open(file.path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  const Connection c = connect_here();
  const auto receiver = make_receiver(*c.receiver, Engine::Splice);
  auto sending = send_async(*c.sender, data);
  uint64_t fresh = 0;
  CHECK(receiver->receive(append.get(), 0, static_cast<uint32_t>(data.size()),
                          [&](uint64_t bytes, auto) { fresh += bytes; }) == 0);
  check_in_step(*c.receiver);
  sending.get();
  CHECK(fresh == data.size());
  CHECK((file.content() == data));
  CHECK(receiver->engine() == Engine::ReadWrite);
  CHECK_THAT(receiver->why(), Catch::Contains("splice does not work on this destination"));
}

TEST_CASE("BlockReceiver: a stream that ends inside a block is a network error") {
  for (Engine engine : kRecvEngines) {
    INFO(engine_name(engine));
    const Scratch file;
    const Connection c = connect_here();
    const auto receiver = make_receiver(*c.receiver, engine);
    c.sender->send(pattern(1000), More::No);
    c.sender->finish_sending();
    CHECK(outcome([&] { receiver->receive(file.fd(), 0, 1001, [](uint64_t, auto) {}); }) ==
          "network");
  }
}

TEST_CASE("discard: takes exactly what it is told") {
  const Buffer data = pattern(200000);
  const Connection c = connect_here();
  auto sending = send_async(*c.sender, data);
  discard(*c.receiver, data.size());
  check_in_step(*c.receiver);
  sending.get();
}

TEST_CASE("make_splice_pipe: the size is what the kernel says") {
  const SplicePipe pipe = make_splice_pipe();
  REQUIRE(pipe.read_end.valid());
  REQUIRE(pipe.write_end.valid());
  CHECK(static_cast<int>(pipe.bytes) == fcntl(pipe.write_end.get(), F_GETPIPE_SZ));
  CHECK((fcntl(pipe.read_end.get(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("engines: from a file through two sockets into a file") {
  const Buffer data = pattern((8 << 20) + 1234);
  const Scratch source(data);
  for (Engine send_engine : kSendEngines)
    for (Engine receive_engine : kRecvEngines) {
      INFO(engine_name(send_engine) << " to " << engine_name(receive_engine));
      const Scratch target;
      const Connection c = connect_here();
      const auto length = static_cast<uint32_t>(data.size());
      auto sending = std::async(std::launch::async, [&] {
        const SourceFile file(source.path());
        const auto sender = make_block_sender(*c.sender, {send_engine, ""});
        return sender->send(file, 0, length, {}, nullptr, [](uint64_t) {});
      });
      const auto receiver = make_receiver(*c.receiver, receive_engine);
      CHECK(receiver->receive(target.fd(), 0, length, [](uint64_t, auto) {}) == 0);
      const SentBlock block = sending.get();
      CHECK(hex(block.digest) == hex(digest_of(target.content())));
      CHECK((target.content() == data));
    }
}

}  // namespace
}  // namespace zx
