// SPDX-License-Identifier: MIT
#include "common/net/channel.h"

#include "common/base/error.h"

namespace zx {

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
  size_t recv_some(std::span<std::byte> buffer) override { return socket().recv_some(buffer); }
  bool readable_now() override { return socket().readable_now(); }
  void finish_sending() override { socket().shutdown_send(); }
  int send_fd() const override { return socket().limits_rate_itself() ? -1 : socket().fd(); }
  int recv_fd() const override { return socket().fd(); }
};

}  // namespace

std::unique_ptr<Channel> make_plain_channel(Socket socket) {
  return std::make_unique<PlainChannel>(std::move(socket));
}

}  // namespace zx
