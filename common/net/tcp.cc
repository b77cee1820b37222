// SPDX-License-Identifier: MIT
#include "common/net/tcp.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <utility>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {
namespace {

using std::chrono::milliseconds;

// Whoever has asked for a stop does not wait longer for the peer to take the last message.
constexpr milliseconds kLastMoment{200};
// In the idle time, of a send that waits, whether there is still somebody.
constexpr int kLooks = 16;

void set_option(int fd, int level, int name, int value) {
  // Tuning only: a kernel that refuses one still moves the data.
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

void set_timeout(int fd, int name, milliseconds limit) {
  const timeval value{limit.count() / 1000, limit.count() % 1000 * 1000};
  (void)setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}

// "15", "0.25".
std::string seconds_text(milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto rest = time.count() % 1000) text += "." + std::to_string(1000 + rest).substr(1);
  while (text.find('.') != std::string::npos && text.ends_with('0')) text.pop_back();
  return text;
}

}  // namespace

Socket::Socket(UniqueFd fd, const HostPort& peer, milliseconds idle)
    : Socket(std::move(fd), to_text(peer), idle) {
  peer_address_ = peer;
}

Socket::Socket(UniqueFd fd, std::string peer, milliseconds idle)
    : fd_(std::move(fd)), peer_(std::move(peer)), idle_(idle) {
  apply_idle();
  set_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd_.get(), SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd_.get(), IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set_option(fd_.get(), IPPROTO_TCP, TCP_KEEPINTVL, 5);
}

void Socket::apply_idle() {
  // Later than SO_SNDTIMEO: at the same moment it would end a blocked sendfile first, and that call
  // then reports EPIPE instead of the time-out.
  const int later = static_cast<int>(2 * std::min<int64_t>(idle_.count(), 1'000'000) + 5000);
  set_option(fd_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, later);
  // The kernel's own time-outs make sendfile and splice end too, without a poll before each.
  set_timeout(fd_.get(), SO_RCVTIMEO, idle_);
  // A send that waits does not read, one call may wait several times, and what it took before it
  // waited counts as success. So it ends much more often, and is_silent() judges.
  set_timeout(fd_.get(), SO_SNDTIMEO, std::max(idle_ / kLooks, milliseconds(1)));
}

void Socket::set_idle(milliseconds idle) {
  idle_ = idle;
  apply_idle();
}

void Socket::limit_rate(uint64_t bytes_per_second) {
  int domain = AF_INET;
  socklen_t length = sizeof domain;
  (void)getsockopt(fd_.get(), SOL_SOCKET, SO_DOMAIN, &domain, &length);
  if (domain == AF_UNIX) {  // takes the option below, and does nothing with it
    own_rate_ = bytes_per_second;
    return;
  }
  // 64 bits: as 32 bits the option ends at 4 GiB/s. Without the fq queueing discipline TCP paces
  // by itself.
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second,
                 sizeof bytes_per_second) != 0)
    throw_errno(ExitStatus::Network, peer_ + ": limit the rate", errno);
  // Below 64 KiB kernel TLS stalls: its records are not sent before more is there.
  constexpr uint64_t kLeastUnsent = 128 << 10, kMostUnsent = 1 << 30;
  set_option(fd_.get(), IPPROTO_TCP, TCP_NOTSENT_LOWAT,
             static_cast<int>(std::clamp(bytes_per_second / 4, kLeastUnsent, kMostUnsent)));
}

void Socket::fail(const char* operation, int error) const {
  const std::string what = peer_ + ": " + operation;
  if (error == EAGAIN || error == EWOULDBLOCK)
    throw Error(ExitStatus::Timeout,
                what + ": timed out (nothing moved for " + seconds_text(idle_) + " s)");
  throw_errno(error == ETIMEDOUT ? ExitStatus::Timeout : ExitStatus::Network, what, error);
}

// Nobody reads while a send waits.
bool Socket::is_silent() {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0)
    return milliseconds(info.tcpi_last_data_recv) >= idle_;
  int unread = 0;
  if (ioctl(fd_.get(), FIONREAD, &unread) == 0 && std::exchange(unread_, unread) < unread)
    moved_ = Clock::now();
  return Clock::now() - moved_ >= idle_;
}

void Socket::send_failed(int error) {
  if ((error != EAGAIN && error != EWOULDBLOCK) || is_silent()) fail("send", error);
  // It counts the time that the peer's window is closed too, acknowledged or not (tcp(7)). From now
  // on only a peer that is silent ends this.
  set_option(fd_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

void Socket::wait_until_deadline(short events) {
  if (!deadline_) return;
  // The clock first: a peer that always has a byte ready must not outlast the deadline.
  if (Clock::now() >= *deadline_ || !wait_any({{fd_.get(), events}}, *deadline_))
    throw Error(ExitStatus::Timeout, peer_ + ": timed out during the handshake");
}

size_t Socket::recv_some(std::span<std::byte> buffer) {
  wait_until_deadline(POLLIN);
  const ssize_t n = retry_eintr([&] { return recv(fd_.get(), buffer.data(), buffer.size(), 0); });
  if (n < 0) fail("receive", errno);
  moved_ = Clock::now();
  return static_cast<size_t>(n);
}

ssize_t Socket::receive(msghdr* message, int flags) {
  if ((flags & MSG_DONTWAIT) == 0) wait_until_deadline(POLLIN);
  return retry_eintr([&] { return recvmsg(fd_.get(), message, flags); });
}

ssize_t Socket::send_message(const msghdr* message) {
  wait_until_deadline(POLLOUT);
  return retry_eintr([&] { return sendmsg(fd_.get(), message, MSG_NOSIGNAL); });
}

void Socket::sent(size_t taken, size_t given) {
  moved_ = Clock::now();
  if (taken >= given) return;
  pollfd p{fd_.get(), 0, 0};
  if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0) fail("send", ECONNRESET);
}

bool Socket::is_established() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  return getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) == 0 &&
         info.tcpi_state == TCP_ESTABLISHED;
}

void Socket::require_input() const {
  std::byte byte{};
  const ssize_t n = recv(fd_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) fail("receive", errno);
  if (n == 0) throw Error(ExitStatus::Network, peer_ + ": the connection ended too early");
}

// How much of it may go now.
size_t Socket::wait_for_rate(size_t wanted) {
  if (own_rate_ == 0) return wanted;
  constexpr uint64_t kLeast = 1 << 10, kMost = 256 << 10;
  const size_t part = std::min<size_t>(wanted, std::clamp(own_rate_ / 8, kLeast, kMost));
  const auto now = Clock::now();
  if (next_send_ > now) pause_for(next_send_ - now);
  next_send_ =
      std::max(next_send_, now) + std::chrono::nanoseconds(part * 1'000'000'000 / own_rate_);
  return part;
}

void Socket::send_all(std::span<const std::byte> bytes, More more, size_t* sent) {
  const int flags = MSG_NOSIGNAL | (more == More::Yes ? MSG_MORE : 0);
  while (!bytes.empty()) {
    const size_t part = wait_for_rate(bytes.size());
    wait_until_deadline(POLLOUT);
    const ssize_t n = retry_eintr([&] { return send(fd_.get(), bytes.data(), part, flags); });
    if (n < 0) {
      send_failed(errno);
      continue;
    }
    const auto taken = static_cast<size_t>(n);
    this->sent(taken, part);
    bytes = bytes.subspan(taken);
    if (sent != nullptr) *sent += taken;
  }
}

bool Socket::readable_now() {
  return wait_any({{fd_.get()}}, Clock::time_point::min()).has_value();
}

void Socket::shutdown_send() {
  (void)shutdown(fd_.get(), SHUT_WR);
}

void Socket::reset() {
  const sockaddr nobody{AF_UNSPEC, {}};
  (void)::connect(fd_.get(), &nobody, sizeof nobody);
}

void Socket::drain(milliseconds limit) {
  const auto deadline = Clock::now() + (stop_requested() ? std::min(limit, kLastMoment) : limit);
  std::array<std::byte, 1 << 16> scrap{};
  while (Clock::now() < deadline && wait_regardless({{fd_.get()}}, deadline)) {
    // MSG_TRUNC: TCP drops the bytes without copying them (tcp(7)).
    if (recv(fd_.get(), scrap.data(), scrap.size(), MSG_DONTWAIT | MSG_TRUNC) <= 0) return;
  }
}

}  // namespace zx
