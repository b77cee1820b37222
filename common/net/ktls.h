// SPDX-License-Identifier: MIT
// Kernel TLS: the kernel's record layer on a connection whose TLS 1.3 handshake OpenSSL has made.
// Both directions are installed by hand from the traffic secrets, the same way with every OpenSSL:
// 3.0 cannot hand over receiving in TLS 1.3, and it hands over sending only to a socket of its own,
// whose time-outs and errors would then be out of our hands.
//
// What this relies on: nothing was protected under the application keys yet (no tickets), so both
// record numbers are 0; nobody sends a KeyUpdate (kernels before 6.14 take no second key).
// Kernel: TLS 1.3 and AES-256-GCM since 5.1, ChaCha20-Poly1305 since 5.11
// (Documentation/networking/tls.rst).
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/error.h"
#include "common/net/channel.h"
#include "common/net/suite.h"

namespace zx {

constexpr int kSolTls = 282;  // SOL_TLS; Debian 12's libc headers do not have it

/// --ktls. Auto: when it can be had and the kernel's AES is not the generic C code.
enum class Ktls { Auto, On, Off };

/// The kernel did not do what it was found to be able to: a fault of this machine, not of the peer.
class KernelTlsError final : public Error {
 public:
  explicit KernelTlsError(const std::string& what)
      : Error(ExitStatus::Auth, "kernel TLS: " + what) {}
};

/// Whether this end is at fault, so that nothing is better with another peer or on another way.
inline bool is_fault_here(const Error& e) {
  return e.status() == ExitStatus::Internal || dynamic_cast<const KernelTlsError*>(&e) != nullptr;
}

/// CLIENT_TRAFFIC_SECRET_0 and SERVER_TRAFFIC_SECRET_0 of a connection (RFC 8446, 7.1). Wiped when
/// destroyed.
struct TrafficSecrets {
  std::array<std::byte, 48> client{}, server{};
  size_t client_bytes = 0, server_bytes = 0;  // 32 or 48, by the suite's hash; 0: not known

  TrafficSecrets() = default;
  TrafficSecrets(const TrafficSecrets&) = delete;
  TrafficSecrets& operator=(const TrafficSecrets&) = delete;
  ~TrafficSecrets();
};

/// Why the kernel shall not do the record layer of this suite, "" when it shall. Tries it on a
/// throw-away loopback connection and reads the state back, once for each suite and run.
/// Thread-safe.
std::string ktls_obstacle(const Suite& suite, Ktls asked);

/// Gives both directions to the kernel and reads back from the socket that they are in force.
/// Returns "" then; else why not, and the connection is as it was (a kernel that only pretends to
/// receive is found here too; that the state can be read back was tried by ktls_obstacle()). Throws
/// KernelTlsError when the kernel has taken one direction and not the other: that connection can
/// serve nobody.
std::string install_ktls(int fd, const Suite& suite, const TrafficSecrets& secrets, bool is_client);

/// The channel over a socket on which install_ktls() has returned "". What it throws when
/// receiving: a damaged or foreign record (EBADMSG, EINVAL, EMSGSIZE), an alert, or bytes that come
/// without a record type, as Error{Auth}; a KeyUpdate (also EKEYEXPIRED, 6.14) or any other
/// handshake message as Error{Protocol}; a FIN without close_notify as Error{Network}.
std::unique_ptr<Channel> make_ktls_channel(Socket socket, const Suite& suite);

/// Whether splice(2) from a socket of this suite skips the rest of a record that recvmsg(2) has
/// taken in part (kernels before 5.16). Found by the trial of ktls_obstacle().
bool ktls_splice_skips(const Suite& suite);

/// Why the kernel's best gcm(aes) is slow, "" when it is not, from the texts of /proc/crypto (where
/// it is listed only once something uses it) and of /proc/cpuinfo.
std::string slow_gcm(std::string_view proc_crypto, std::string_view cpuinfo);

}  // namespace zx
