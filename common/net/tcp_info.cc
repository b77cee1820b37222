// SPDX-License-Identifier: MIT
#include "common/net/tcp_info.h"

// <linux/tcp.h> has the whole struct tcp_info, but cannot be included together with
// <netinet/tcp.h>, whose copy ends at tcpi_total_retrans.
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

namespace zx {
void TcpFigures::add(const TcpFigures& later) {
  const TcpFigures earlier = *this;
  *this = later;
  for (uint64_t TcpFigures::*counter :
       {&TcpFigures::bytes_sent, &TcpFigures::bytes_received, &TcpFigures::bytes_retransmitted,
        &TcpFigures::segments_retransmitted, &TcpFigures::segments_out_of_order,
        &TcpFigures::busy_us, &TcpFigures::rwnd_limited_us, &TcpFigures::sndbuf_limited_us,
        &TcpFigures::reordering_seen})
    this->*counter += earlier.*counter;
}

TcpFigures parse_tcp_info(std::span<const std::byte> raw) {
  tcp_info info{};  // what the kernel did not write stays 0
  std::copy_n(raw.begin(), std::min(raw.size(), sizeof info),
              std::as_writable_bytes(std::span(&info, 1)).begin());
  TcpFigures out;
  out.bytes_sent = info.tcpi_bytes_sent;
  out.bytes_received = info.tcpi_bytes_received;
  out.bytes_retransmitted = info.tcpi_bytes_retrans;
  out.segments_retransmitted = info.tcpi_total_retrans;
  out.segments_out_of_order = info.tcpi_rcv_ooopack;
  out.busy_us = info.tcpi_busy_time;
  out.rwnd_limited_us = info.tcpi_rwnd_limited;
  out.sndbuf_limited_us = info.tcpi_sndbuf_limited;
  out.rtt_us = info.tcpi_rtt;
  // Not measured yet is all ones.
  out.min_rtt_us = info.tcpi_min_rtt == UINT32_MAX ? 0 : info.tcpi_min_rtt;
  out.receive_rtt_us = info.tcpi_rcv_rtt;
  out.delivery_rate = info.tcpi_delivery_rate;
  out.app_limited = info.tcpi_delivery_rate_app_limited != 0;
  out.window_segments = info.tcpi_snd_cwnd;
  out.segment_bytes = info.tcpi_snd_mss;
  out.reordering_seen = info.tcpi_reord_seen;
  return out;
}

TcpFigures tcp_figures(int fd) {
  std::array<std::byte, sizeof(tcp_info)> raw{};
  socklen_t length = raw.size();
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, raw.data(), &length) != 0) return {};
  return parse_tcp_info(std::span(raw).first(std::min<size_t>(length, raw.size())));
}

uint64_t bytes_not_sent(int fd) {
  int bytes = 0;
  return ioctl(fd, SIOCOUTQNSD, &bytes) == 0 && bytes > 0 ? static_cast<uint64_t>(bytes) : 0;
}

bool has_receive_backlog(int fd) {
  std::array<uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t length = sizeof memory;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory.data(), &length) != 0) return false;
  // The room grows to several MiB: then half of it is more than a reader who keeps up leaves.
  constexpr uint32_t kMuch = 1 << 20;
  return memory[SK_MEMINFO_RMEM_ALLOC] >= std::min(memory[SK_MEMINFO_RCVBUF] / 2, kMuch);
}

}  // namespace zx
