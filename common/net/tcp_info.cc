// SPDX-License-Identifier: MIT
// In a file of its own: <linux/tcp.h> has the whole struct tcp_info, but cannot be included
// together with <netinet/tcp.h>, whose copy ends at tcpi_total_retrans.
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/net/tcp.h"

namespace zx {

WireBytes wire_bytes(int fd) {
  tcp_info info{};  // an older kernel fills less of it: the rest stays 0
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return {};
  return {info.tcpi_bytes_sent, info.tcpi_bytes_received};
}

std::chrono::microseconds round_trip(int fd) {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return {};
  return std::chrono::microseconds(info.tcpi_rtt);
}

}  // namespace zx
