// SPDX-License-Identifier: MIT
// TCP: connecting, listening, and a socket whose calls all end: by data, by an Error, by a time-out
// or by a stop signal. SO_SNDBUF and SO_RCVBUF are left alone: setting them switches autotuning
// off.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/base/wait.h"
#include "common/net/endpoint.h"

namespace zx {

enum class Family { Any, V4, V6 };

/// Whether more bytes certainly follow at once (MSG_MORE). The last send of a message is No: bytes
/// held back by MORE are not sent by time, and under kernel TLS are lost at close.
enum class More { No, Yes };

/// A connected TCP socket, or one end of a socket pair in its place.
class Socket {
 public:
  /// Takes the descriptor. idle: the longest wait of one call for the peer.
  Socket(UniqueFd fd, const HostPort& peer, std::chrono::milliseconds idle);
  /// For one that is not TCP: peer is what messages say.
  Socket(UniqueFd fd, std::string peer, std::chrono::milliseconds idle);

  /// Until cleared, every call fails with Timeout at this moment, however busy the peer is: the
  /// bound on handshakes (a byte every few seconds must not hold a listener).
  void set_deadline(std::optional<Clock::time_point> deadline) { deadline_ = deadline; }

  /// At least one byte, or 0 at the end of the stream. Blocking. Throws Error{Network|Timeout}.
  size_t recv_some(std::span<std::byte> buffer);
  /// recvmsg(2), for who needs control messages: its result, errno when negative. Blocking, unless
  /// MSG_DONTWAIT is in flags. Throws Error{Timeout} at the deadline.
  ssize_t receive(msghdr* message, int flags);
  /// sendmsg(2), likewise.
  ssize_t send_message(const msghdr* message);
  /// Sends no faster than so many bytes of the TCP stream a second, TLS records included; the
  /// kernel spaces them (SO_MAX_PACING_RATE), whatever call hands them over. Of what is handed over
  /// about a quarter of a second's worth waits in the socket, so that cancelling and messages stay
  /// prompt. The first ten segments are not paced. Throws Error{Network} when the kernel refuses.
  /// A socket that is not TCP (one end of an ssh channel) cannot be paced: send_all() sleeps
  /// instead, and limits_rate_itself() tells callers not to bypass it with sendfile or splice.
  void limit_rate(uint64_t bytes_per_second);
  bool limits_rate_itself() const { return own_rate_ > 0; }
  /// The longest wait of one call for the peer, from here on.
  void set_idle(std::chrono::milliseconds idle);

  /// All of it. Blocking. Throws Error{Network|Timeout}; *sent, if given, is what has left by then.
  void send_all(std::span<const std::byte> bytes, More more, size_t* sent = nullptr);
  /// To be told of every send that has succeeded, and has taken `taken` bytes of those `given`.
  /// Throws Error{Network} when it was short because the connection is no longer there: a reset
  /// that meets a blocked sendfile(2) under kernel TLS is told once, by that short count, and every
  /// later send reports success though nothing leaves (measured on 6.1 to 7.2); plain TCP says
  /// EPIPE.
  void sent(size_t taken, size_t given);
  /// Neither side has ended it.
  bool is_established() const;
  /// Throws Error{Network|Timeout} when a read would find no byte, but the end or an error, or
  /// would block.
  void require_input() const;
  /// True when a read would not block (data, end or error).
  bool readable_now();
  /// No more sending (FIN). Errors are ignored: the peer may be gone.
  void shutdown_send();
  /// The peer finds a reset, not the end of what was sent (TCP only; does nothing else).
  void reset();
  /// Reads and drops what the peer still sends until it ends or `limit` has passed, so that closing
  /// does not become a reset that destroys what we sent last. After a stop signal a moment has to
  /// do.
  void drain(std::chrono::milliseconds limit);

  /// The Error for a failed call on this socket's descriptor, also when the call was made elsewhere
  /// (sendfile, splice): EAGAIN is the idle time-out.
  [[noreturn]] void fail(const char* operation, int error) const;

  /// The same for a send, which is to be repeated when this returns: nothing could leave for some
  /// time, but the peer has said something in the idle time. So it lives and does not read, because
  /// it waits for somebody else, who takes what it receives.
  void send_failed(int error);

  int fd() const { return fd_.get(); }
  const std::string& peer() const { return peer_; }
  /// Numeric; without a host when it is not TCP.
  const HostPort& peer_address() const { return peer_address_; }
  std::chrono::milliseconds idle_timeout() const { return idle_; }

 private:
  void wait_until_deadline(short events);
  void apply_idle();
  bool is_silent();
  size_t wait_for_rate(size_t wanted);

  UniqueFd fd_;
  std::string peer_;
  HostPort peer_address_;
  std::chrono::milliseconds idle_;
  std::optional<Clock::time_point> deadline_;
  uint64_t own_rate_ = 0;  // bytes/s; 0: none, or the kernel's business
  Clock::time_point next_send_{};
  // Of one that is not TCP, whose silence nobody else measures: what it had unread when it was
  // looked at, and when something moved last.
  int unread_ = 0;
  Clock::time_point moved_ = Clock::now();
};

/// Connects to the address of the host that answers first (race()), within 10 s and never later
/// than `end`. While `wait` has not passed, a host that refuses or cannot be reached is tried again
/// every 0.2 s. Throws Error{Network|Timeout}, with `advice` where the host is known.
Socket connect_to(const HostPort& address, Family family, std::chrono::seconds wait,
                  std::chrono::milliseconds idle, Clock::time_point end = Clock::time_point::max(),
                  const std::string& advice = "");

/// The order of RFC 8305: as it was, but the two families by turns.
std::vector<HostPort> interleave_families(std::vector<HostPort> addresses);
/// Connects to the first of these numeric addresses that accepts. Each next one is tried beside the
/// others as soon as one has failed, or after 0.25 s. 0 with the socket and its address's index, or
/// an errno value. Throws as wait_any() does.
int race(const std::vector<HostPort>& addresses, Clock::time_point deadline, UniqueFd* winner,
         size_t* index);

/// The numeric addresses of a host. Blocking, as long as the system's resolver takes. Throws
/// Error{Network}.
std::vector<std::string> numeric_hosts(const std::string& host, Family family);

/// A listening socket.
class Listener {
 public:
  /// Empty host: all addresses, IPv6 and IPv4. Throws Error{Network}.
  Listener(const HostPort& address, Family family);
  /// On all addresses, on the first port of the range that is free. Throws Error{Network}.
  static Listener on_port_of(PortRange ports, Family family);
  /// The port in use, also when 0 was asked for.
  uint16_t port() const { return port_; }
  /// Waits for a connection; nothing when none came before give_up.
  std::optional<Socket> accept(Clock::time_point give_up, std::chrono::milliseconds idle);
  /// For poll(2): readable when a connection waits.
  int fd() const { return fd_.get(); }

 private:
  UniqueFd fd_;
  uint16_t port_ = 0;
};

}  // namespace zx
