// SPDX-License-Identifier: MIT
// What the kernel knows of one TCP connection (TCP_INFO), and what waits in its queues.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace zx {

/// Counters since the connection began, and the present state. What an older kernel does not tell
/// is 0 (5.10 tells all of it). Bytes are those of the stream, TLS records included.
struct TcpFigures {
  // Counters.
  uint64_t bytes_sent = 0, bytes_received = 0;  // sent: what was sent again counts again
  uint64_t bytes_retransmitted = 0;
  uint64_t segments_retransmitted = 0;
  uint64_t segments_out_of_order = 0;  // received so
  // Microseconds in which something was unacknowledged or waited to be sent; and in which that was
  // held up by a full receiver, or by a send buffer smaller than the window.
  uint64_t busy_us = 0, rwnd_limited_us = 0, sndbuf_limited_us = 0;
  // State.
  uint64_t rtt_us = 0, min_rtt_us = 0;
  uint64_t receive_rtt_us = 0;  // estimated by a side that only receives
  uint64_t delivery_rate = 0;   // bytes/s, as last measured
  bool app_limited = false;     // that measurement was of what there was to send, not of the path
  uint64_t window_segments = 0, segment_bytes = 0;  // congestion window, MSS
  uint64_t reordering_seen = 0;                     // events

  /// Counters are added, state is that of `later`: a session that goes on over another connection.
  void add(const TcpFigures& later);
};

/// From what getsockopt(TCP_INFO) has given; it may end anywhere.
TcpFigures parse_tcp_info(std::span<const std::byte> raw);
/// All 0 when the kernel does not tell.
TcpFigures tcp_figures(int fd);

/// Bytes that were handed to the socket and not sent yet.
uint64_t bytes_not_sent(int fd);
/// Whether what arrived and was not read yet takes at least half of the room for it, or 1 MiB.
bool has_receive_backlog(int fd);

}  // namespace zx
