// SPDX-License-Identifier: MIT
// What the tests of engines share: two channels that are connected, random content, scratch files.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <vector>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/engine/block_receiver.h"
#include "common/engine/block_sender.h"
#include "common/file/direct_file.h"
#include "tests/unit/outcome.h"

namespace zx {

using Buffer = std::vector<std::byte>;

// Two channels that are connected to each other. A time-out ends a test that would hang.
struct Connection {
  std::unique_ptr<Channel> sender, receiver;
};

inline Connection connect_here() {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* plain = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(bind(listener.get(), plain, length) == 0);
  REQUIRE(listen(listener.get(), 1) == 0);
  REQUIRE(getsockname(listener.get(), plain, &length) == 0);
  REQUIRE(connect(client.get(), plain, length) == 0);
  UniqueFd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(server.valid());
  constexpr std::chrono::seconds kIdle{20};
  return {make_plain_channel(Socket(std::move(client), "receiver", kIdle)),
          make_plain_channel(Socket(std::move(server), "sender", kIdle))};
}

inline Buffer pattern(size_t size) {
  Buffer out(size);
  uint32_t x = 1;
  for (std::byte& b : out) b = static_cast<std::byte>((x = x * 1664525 + 1013904223) >> 24);
  return out;
}

inline Buffer bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

// An open file of the temporary directory, gone from it with this object.
class Scratch {
 public:
  explicit Scratch(std::span<const std::byte> content = {}) {
    path_ = (std::filesystem::temp_directory_path() / "zx_engine_XXXXXX").string();
    fd_ = UniqueFd(mkostemp(path_.data(), O_CLOEXEC));
    REQUIRE(fd_.valid());
    REQUIRE(pwrite_full(fd_.get(), content, 0) == 0);
  }
  ~Scratch() { unlink(path_.c_str()); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }
  Buffer content() const {
    const off_t size = lseek(fd_.get(), 0, SEEK_END);
    Buffer out(static_cast<size_t>(size));
    REQUIRE(pread_full(fd_.get(), out, 0) == size);
    return out;
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

inline std::string hex(const Digest& digest) {
  return to_hex(digest);
}

constexpr Engine kSendEngines[] = {Engine::Sendfile, Engine::Splice, Engine::Mmap,
                                   Engine::ReadWrite, Engine::Direct};
constexpr Engine kRecvEngines[] = {Engine::Splice, Engine::ReadWrite, Engine::Direct};

/// The engine that really runs on this file: Direct only where O_DIRECT is accepted.
inline Engine expected_engine(Engine asked, int fd) {
  if (asked != Engine::Direct || open_direct(fd, DirectAccess::Read).error == 0) return asked;
  return Engine::ReadWrite;
}

/// A channel over another one that does not show its descriptor, as one with its record layer in
/// user space.
class HiddenChannel final : public Channel {
 public:
  explicit HiddenChannel(Channel& inner)
      : Channel(Socket(UniqueFd(dup(inner.socket().fd())), "peer", std::chrono::seconds(20))) {}
  void send(std::span<const std::byte> bytes, More more) override {
    socket().send_all(bytes, more);
  }
  void finish_sending() override { socket().shutdown_send(); }

  size_t fail_after = SIZE_MAX;  // bytes that can be received; then the stream has ended

 private:
  size_t read_stream(std::span<std::byte> buffer) override {
    if (fail_after == 0) ended_early();
    const size_t n = socket().recv_some(buffer.first(std::min(buffer.size(), fail_after)));
    if (fail_after != SIZE_MAX) fail_after -= n;
    return n;
  }
  bool stream_readable() override { return socket().readable_now(); }
};

}  // namespace zx
