// SPDX-License-Identifier: MIT
#include "common/net/tcp.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kConnectLimit{10};
// Until the next address of a host is tried beside those that have not answered (RFC 8305, 8).
constexpr milliseconds kAttemptDelay{250};
constexpr int kBacklog = 16;
// Whoever has asked for a stop does not wait longer for the peer to take the last message.
constexpr milliseconds kLastMoment{200};

void set_option(int fd, int level, int name, int value) {
  // Tuning only: a kernel that refuses one still moves the data.
  (void)setsockopt(fd, level, name, &value, sizeof value);
}

void set_timeout(int fd, int name, milliseconds limit) {
  const timeval value{limit.count() / 1000, limit.count() % 1000 * 1000};
  (void)setsockopt(fd, SOL_SOCKET, name, &value, sizeof value);
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList look_up(const HostPort& address, Family family, int flags) {
  addrinfo hints{};
  hints.ai_family = family == Family::V4 ? AF_INET : family == Family::V6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                                std::to_string(address.port).c_str(), &hints, &list);
  if (error != 0) {
    check_stop();
    throw Error(ExitStatus::Network,
                quote(address.host) + ": look up: " +
                    (error == EAI_SYSTEM ? errno_text(errno) : gai_strerror(error)));
  }
  return {list, freeaddrinfo};
}

HostPort numeric_address(const sockaddr* address, socklen_t length) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (getnameinfo(address, length, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0)
    return {"unknown address", 0};
  std::string name = host.data();
  // How a socket for both families shows an IPv4 address.
  if (name.starts_with("::ffff:") && name.find('.') != std::string::npos) name.erase(0, 7);
  return {name, static_cast<uint16_t>(std::atoi(port.data()))};
}

// "15", "0.25".
std::string seconds_text(milliseconds time) {
  std::string text = std::to_string(time.count() / 1000);
  if (const auto rest = time.count() % 1000) text += "." + std::to_string(1000 + rest).substr(1);
  while (text.find('.') != std::string::npos && text.ends_with('0')) text.pop_back();
  return text;
}

std::vector<HostPort> numeric_addresses(const AddressList& list) {
  std::vector<HostPort> out;
  for (const addrinfo* a = list.get(); a != nullptr; a = a->ai_next)
    out.push_back(numeric_address(a->ai_addr, a->ai_addrlen));
  return out;
}

// Begins to connect; 0 or an errno value.
int begin_connect(const HostPort& address, UniqueFd* out) {
  const AddressList list = look_up(address, Family::Any, AI_NUMERICHOST);
  UniqueFd fd(socket(list->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  if (connect(fd.get(), list->ai_addr, list->ai_addrlen) != 0 && errno != EINPROGRESS) return errno;
  *out = std::move(fd);
  return 0;
}

int end_connect(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  if (error == 0 && fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK) != 0) return errno;
  return error;
}

// A bound socket; invalid, with errno, when the address is not to be had.
UniqueFd bind_to(const sockaddr* address, socklen_t length, Family family) {
  UniqueFd fd(socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return fd;
  set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (address->sa_family == AF_INET6)
    set_option(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, family == Family::V6 ? 1 : 0);
  if (bind(fd.get(), address, length) != 0) return {};
  return fd;
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
  const bool tcp = setsockopt(fd_.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &later, sizeof later) == 0;
  // The kernel's own time-outs make sendfile and splice end too, without a poll before each.
  set_timeout(fd_.get(), SO_RCVTIMEO, idle_);
  // A send that waits does not read, and one call may wait several times. So it ends more often,
  // and what was heard of the peer is asked of TCP, if it is that.
  set_timeout(fd_.get(), SO_SNDTIMEO, tcp ? idle_ / 4 : idle_);
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

bool Socket::is_silent() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  return getsockopt(fd_.get(), IPPROTO_TCP, TCP_INFO, &info, &length) != 0 ||
         milliseconds(info.tcpi_last_data_recv) >= idle_;
}

void Socket::send_failed(int error) const {
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

void Socket::require_connected() const {
  pollfd p{fd_.get(), 0, 0};
  if (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0) fail("send", ECONNRESET);
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
    if (static_cast<size_t>(n) < part) require_connected();
    bytes = bytes.subspan(static_cast<size_t>(n));
    if (sent != nullptr) *sent += static_cast<size_t>(n);
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

std::vector<std::string> numeric_hosts(const std::string& host, Family family) {
  std::vector<std::string> out;
  for (HostPort& address : numeric_addresses(look_up({host, 0}, family, 0)))
    out.push_back(std::move(address.host));
  return out;
}

std::vector<HostPort> interleave_families(std::vector<HostPort> addresses) {
  const auto is_v6 = [](const HostPort& a) { return a.host.find(':') != std::string::npos; };
  for (size_t i = 1; i < addresses.size(); ++i) {
    const auto at = addresses.begin() + static_cast<std::ptrdiff_t>(i);
    const auto other = std::find_if(
        at, addresses.end(), [&](const HostPort& a) { return is_v6(a) != is_v6(*(at - 1)); });
    if (other != addresses.end()) std::rotate(at, other, other + 1);
  }
  return addresses;
}

int race(const std::vector<HostPort>& addresses, Clock::time_point deadline, UniqueFd* winner,
         size_t* index) {
  std::vector<UniqueFd> sockets;  // of the addresses begun
  std::vector<Watched> watched;   // the same; -1 once failed
  int error = EHOSTUNREACH;
  auto next_begin = Clock::now();
  for (size_t pending = 0;;) {
    const bool more = sockets.size() < addresses.size();
    if (!more && pending == 0) return error;
    int failure = 0;
    if (more && (pending == 0 || Clock::now() >= next_begin)) {
      UniqueFd& socket = sockets.emplace_back();
      failure = begin_connect(addresses[sockets.size() - 1], &socket);
      watched.push_back({socket.get(), POLLOUT});
      next_begin = Clock::now() + kAttemptDelay;
      if (failure == 0) ++pending;
    } else if (const auto ready =
                   wait_any(watched, more ? std::min(deadline, next_begin) : deadline)) {
      failure = end_connect(sockets[*ready].get());
      if (failure == 0) {
        *winner = std::move(sockets[*ready]);
        *index = *ready;
        return 0;
      }
      watched[*ready].fd = -1;
      --pending;
    } else if (Clock::now() >= deadline) {
      return error == ECONNREFUSED ? error : ETIMEDOUT;  // a refusal says more than silence
    }
    if (failure == 0) continue;
    error = failure;
    next_begin = Clock::now();
  }
}

Socket connect_to(const HostPort& address, Family family, seconds wait, milliseconds idle,
                  Clock::time_point end) {
  const auto start = Clock::now();
  bool known = false;
  const auto attempt = [&] {
    known = false;
    const auto addresses = interleave_families(numeric_addresses(look_up(address, family, 0)));
    known = true;
    UniqueFd fd;
    size_t index = 0;
    const int error = race(addresses, std::min(end, Clock::now() + kConnectLimit), &fd, &index);
    if (error == 0) return Socket(std::move(fd), addresses[index], idle);
    const auto waited = std::chrono::round<seconds>(Clock::now() - start);
    throw Error(error == ETIMEDOUT ? ExitStatus::Timeout : ExitStatus::Network,
                to_text(address) + ": connect: " + errno_text(error) +
                    (wait.count() > 0 ? " after " + std::to_string(waited.count()) + " s" : ""));
  };
  return retry_until(start + wait, attempt, [&](const Error&) { return known; });
}

Listener::Listener(const HostPort& address, Family family) {
  const AddressList list = look_up(address, family, AI_PASSIVE);
  // Without a host, one IPv6 socket takes both families; the IPv4 one is for machines without IPv6.
  int error = EADDRNOTAVAIL;
  for (int wanted : {AF_INET6, AF_INET}) {
    for (const addrinfo* a = list.get(); a != nullptr && !fd_.valid(); a = a->ai_next) {
      if (a->ai_family != wanted) continue;
      fd_ = bind_to(a->ai_addr, a->ai_addrlen, family);
      if (!fd_.valid()) error = errno;
    }
  }
  if (!fd_.valid()) throw_errno(ExitStatus::Network, to_text(address) + ": listen", error);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  auto* b = reinterpret_cast<sockaddr*>(&bound);
  if (getsockname(fd_.get(), b, &length) != 0)
    throw_errno(ExitStatus::Network, "getsockname", errno);
  port_ = numeric_address(b, length).port;
  if (listen(fd_.get(), kBacklog) != 0)
    throw_errno(ExitStatus::Network, to_text(address) + ": listen", errno);
}

Listener Listener::on_port_of(PortRange ports, Family family) {
  for (unsigned port = ports.first;; ++port) {
    try {
      return {HostPort{"", static_cast<uint16_t>(port)}, family};
    } catch (const Error& e) {
      if (ports.first == ports.last) throw;
      if (port >= ports.last)
        throw Error(e.status(), "no port of " + std::to_string(ports.first) + "-" +
                                    std::to_string(ports.last) + " is free: " + e.what());
    }
  }
}

std::optional<Socket> Listener::accept(Clock::time_point give_up, milliseconds idle) {
  for (;;) {
    if (!wait_any({{fd_.get()}}, give_up)) return std::nullopt;
    sockaddr_storage from{};
    socklen_t length = sizeof from;
    auto* address = reinterpret_cast<sockaddr*>(&from);
    UniqueFd fd(retry_eintr([&] { return accept4(fd_.get(), address, &length, SOCK_CLOEXEC); }));
    if (fd.valid()) return Socket(std::move(fd), numeric_address(address, length), idle);
    // The connection may be gone again (accept(2), ERRORS); the rest is ours.
    if (errno != ECONNABORTED && errno != EPROTO && errno != ENETDOWN && errno != EHOSTDOWN &&
        errno != EHOSTUNREACH && errno != ENETUNREACH)
      throw_errno(ExitStatus::Network, "accept", errno);
  }
}

}  // namespace zx
