// SPDX-License-Identifier: MIT
#include "common/net/channel.h"

#include <algorithm>

#include "common/base/error.h"

namespace zx {
namespace {

// Messages of a dozen small files, with their content.
constexpr size_t kAheadBytes = 64 << 10;

}  // namespace

size_t Channel::recv_some(std::span<std::byte> buffer) {
  if (held().empty()) return read_stream(buffer);
  const auto piece = take_held(buffer.size());
  std::ranges::copy(piece, buffer.begin());
  return piece.size();
}

std::span<const std::byte> Channel::take_held(size_t most) {
  const auto piece = held().first(std::min(most, held().size()));
  begin_ += piece.size();
  return piece;
}

void Channel::read_ahead() {
  if (!held().empty()) return;
  if (!ahead_) ahead_ = std::make_unique_for_overwrite<std::byte[]>(kAheadBytes);
  begin_ = 0;
  end_ = 0;  // also when it throws
  end_ = read_stream({ahead_.get(), kAheadBytes});
}

void Channel::recv_exact(std::span<std::byte> buffer) {
  while (!buffer.empty()) {
    const size_t n = recv_some(buffer);
    if (n == 0) broken_off();
    buffer = buffer.subspan(n);
  }
}

void Channel::ended_early() const {
  throw Error(ExitStatus::Network,
              socket_.peer() + ": the connection ended before the transfer was complete");
}

void Channel::broken_off() const {
  if (cipher().empty()) ended_early();
  throw Error(ExitStatus::Network, socket_.peer() + ": the peer has broken the transfer off",
              Origin::Peer);
}

void Channel::unexpected(const char* message) const {
  throw Error(ExitStatus::Protocol, socket_.peer() + ": the peer sent a TLS " + message +
                                        ", which this protocol does not have");
}

namespace {

class PlainChannel final : public Channel {
 public:
  using Channel::Channel;
  void send(std::span<const std::byte> bytes, More more) override {
    socket().send_all(bytes, more);
  }
  void finish_sending() override { socket().shutdown_send(); }
  int send_fd() const override { return socket().limits_rate_itself() ? -1 : socket().fd(); }
  int recv_fd() const override { return socket().fd(); }

 private:
  size_t read_stream(std::span<std::byte> buffer) override { return socket().recv_some(buffer); }
  bool stream_readable() override { return socket().readable_now(); }
};

}  // namespace

std::unique_ptr<Channel> make_plain_channel(Socket socket) {
  return std::make_unique<PlainChannel>(std::move(socket));
}

}  // namespace zx
