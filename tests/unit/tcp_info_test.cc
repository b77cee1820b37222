// SPDX-License-Identifier: MIT
#include "common/net/tcp_info.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <vector>

#include "common/base/unique_fd.h"

namespace zx {
namespace {

struct Pair {
  UniqueFd one, other;
};

Pair connected_pair() {
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t length = sizeof address;
  REQUIRE(bind(listener.get(), raw, length) == 0);
  REQUIRE(listen(listener.get(), 1) == 0);
  REQUIRE(getsockname(listener.get(), raw, &length) == 0);
  Pair out{UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), {}};
  REQUIRE(connect(out.one.get(), raw, length) == 0);
  out.other = UniqueFd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  REQUIRE(out.other.valid());
  return out;
}

TEST_CASE("parse_tcp_info: what the kernel did not write is 0") {
  tcp_info info{};
  info.tcpi_rtt = 11;
  info.tcpi_total_retrans = 12;
  info.tcpi_min_rtt = 13;
  info.tcpi_busy_time = 14;
  info.tcpi_bytes_sent = 15;
  const auto all = std::as_bytes(std::span(&info, 1));
  const TcpFigures whole = parse_tcp_info(all);
  CHECK(whole.rtt_us == 11);
  CHECK(whole.segments_retransmitted == 12);
  CHECK(whole.min_rtt_us == 13);
  CHECK(whole.busy_us == 14);
  CHECK(whole.bytes_sent == 15);
  const TcpFigures old = parse_tcp_info(all.first(offsetof(tcp_info, tcpi_busy_time)));
  CHECK(old.rtt_us == 11);
  CHECK(old.min_rtt_us == 13);
  CHECK(old.busy_us == 0);
  CHECK(old.bytes_sent == 0);
  CHECK(parse_tcp_info({}).rtt_us == 0);
  // A newer kernel's may be longer.
  std::vector<std::byte> longer(all.begin(), all.end());
  longer.resize(longer.size() + 64, std::byte{0xff});
  CHECK(parse_tcp_info(longer).bytes_sent == 15);
}

TEST_CASE("parse_tcp_info: a round trip that was never measured is 0") {
  tcp_info info{};
  info.tcpi_min_rtt = UINT32_MAX;
  CHECK(parse_tcp_info(std::as_bytes(std::span(&info, 1))).min_rtt_us == 0);
}

TEST_CASE("TcpFigures: over several connections counters add up, state is the last one's") {
  TcpFigures all, later;
  all.bytes_sent = 100;
  all.segments_retransmitted = 2;
  all.busy_us = 30;
  all.rtt_us = 7;
  later.bytes_sent = 10;
  later.segments_retransmitted = 1;
  later.busy_us = 5;
  later.rtt_us = 9;
  all.add(later);
  CHECK(all.bytes_sent == 110);
  CHECK(all.segments_retransmitted == 3);
  CHECK(all.busy_us == 35);
  CHECK(all.rtt_us == 9);
}

TEST_CASE("the queues of a connection whose receiver does not read") {
  const Pair pair = connected_pair();
  const std::array<std::byte, 65536> bytes{};
  CHECK(bytes_not_sent(pair.one.get()) == 0);
  CHECK_FALSE(has_receive_backlog(pair.other.get()));
  uint64_t sent = 0;
  ssize_t n = 0;
  while ((n = send(pair.one.get(), bytes.data(), bytes.size(), MSG_DONTWAIT)) > 0)
    sent += static_cast<uint64_t>(n);
  CHECK(bytes_not_sent(pair.one.get()) > 0);
  CHECK(has_receive_backlog(pair.other.get()));
  const TcpFigures figures = tcp_figures(pair.one.get());
  CHECK(figures.bytes_sent >= sent - bytes_not_sent(pair.one.get()));
  CHECK(figures.bytes_sent > 0);
  CHECK(figures.segment_bytes > 0);
  std::array<std::byte, 65536> sink{};
  uint64_t got = 0;
  while (got < sent && (n = recv(pair.other.get(), sink.data(), sink.size(), 0)) > 0)
    got += static_cast<uint64_t>(n);
  CHECK(got == sent);
  CHECK(bytes_not_sent(pair.one.get()) == 0);
  CHECK_FALSE(has_receive_backlog(pair.other.get()));
  CHECK(tcp_figures(pair.other.get()).bytes_received == sent);
}

}  // namespace
}  // namespace zx
