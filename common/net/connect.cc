// SPDX-License-Identifier: MIT
// How connections come about: looking up, connecting, listening. What is done with them is in
// tcp.cc.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/net/tcp.h"

namespace zx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kConnectLimit{10};
// Until the next address of a host is tried beside those that have not answered (RFC 8305, 8).
constexpr milliseconds kAttemptDelay{250};
constexpr int kBacklog = 16;
// After a connection that was gone before it was accepted.
constexpr milliseconds kGonePause{10};

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// temporary: set when it fails, and may not a moment later.
AddressList look_up(const HostPort& address, Family family, int flags, bool* temporary = nullptr) {
  addrinfo hints{};
  hints.ai_family = family == Family::V4 ? AF_INET : family == Family::V6 ? AF_INET6 : AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags | AI_NUMERICSERV;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                                std::to_string(address.port).c_str(), &hints, &list);
  if (error != 0) {
    check_stop();
    if (temporary != nullptr) *temporary = error == EAI_AGAIN;
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
  const int yes = 1, v6_only = family == Family::V6 ? 1 : 0;
  (void)setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (address->sa_family == AF_INET6)
    (void)setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof v6_only);
  if (bind(fd.get(), address, length) != 0) return {};
  return fd;
}

}  // namespace

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
                  Clock::time_point end, const std::string& advice) {
  const auto start = Clock::now();
  bool again = false;
  const auto attempt = [&] {
    const auto addresses =
        interleave_families(numeric_addresses(look_up(address, family, 0, &again)));
    again = true;
    UniqueFd fd;
    size_t index = 0;
    const int error = race(addresses, std::min(end, Clock::now() + kConnectLimit), &fd, &index);
    if (error == 0) return Socket(std::move(fd), addresses[index], idle);
    const auto waited = std::chrono::round<seconds>(Clock::now() - start);
    throw Error(error == ETIMEDOUT ? ExitStatus::Timeout : ExitStatus::Network,
                to_text(address) + ": connect: " + errno_text(error) +
                    (waited.count() > 0 ? " after " + std::to_string(waited.count()) + " s" : "") +
                    advice);
  };
  return retry_until(start + wait, attempt, [&](const Error&) { return again; });
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
  if (!fd_.valid() || listen(fd_.get(), kBacklog) != 0)
    throw_errno(ExitStatus::Network, to_text(address) + ": listen", fd_.valid() ? errno : error);
  sockaddr_storage bound{};
  socklen_t length = sizeof bound;
  auto* b = reinterpret_cast<sockaddr*>(&bound);
  if (getsockname(fd_.get(), b, &length) != 0)
    throw_errno(ExitStatus::Network, "getsockname", errno);
  port_ = numeric_address(b, length).port;
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
    // That may also be said for ever.
    pause_for(kGonePause);
    if (Clock::now() >= give_up) return std::nullopt;
  }
}

}  // namespace zx
