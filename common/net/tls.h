// SPDX-License-Identifier: MIT
// The TLS 1.3 handshake by OpenSSL, and what comes out of it: a channel whose record layer is in
// the kernel (ktls.h) or in user space (tls_channel.h). Authenticated by an external pre-shared key
// or by mutual certificates. With a key no certificate is ever loaded into the context: with one,
// OpenSSL 3.0 completes the handshake for a wrong or missing key (measured). No tickets, no
// resumption, no early data, no renegotiation, no KeyUpdate, no other TLS version.
#pragma once

#include <memory>
#include <string>

#include "common/net/certificate.h"
#include "common/net/channel.h"
#include "common/net/key.h"
#include "common/net/ktls.h"
#include "common/net/suite.h"

namespace zx {

struct TlsSetup {
  uint8_t suite = 0;  // one bit: no other is offered or taken
  bool listener = false;
  Role connector_role{};
  Ktls ktls = Ktls::Auto;
  // One of the two; not owned.
  const Key* key = nullptr;
  const CertificateFiles* certificates = nullptr;
  std::string host;  // with certificates, connector: whom the listener's must be for
};

struct TlsConnection {
  std::unique_ptr<Channel> channel;
  Key join_key;  // for further connections of the session; known to both sides only
};

/// Runs the handshake under key.derive(...) or the certificates, as TLS client (connector) or
/// server (listener). The socket's deadline applies. Blocking. Throws Error{Auth} when the peer
/// does not authenticate (it has then been told by an alert), KernelTlsError when the kernel does
/// not take over after all with Ktls::On, or only half. Error{Network|Timeout}.
TlsConnection tls_handshake(Socket socket, const TlsSetup& setup);

/// The suites of `wanted` that can be used: with Ktls::On only those the kernel can do. Throws
/// Error{Auth} with the kernel's reason when none is left.
uint8_t usable_suites(uint8_t wanted, Ktls ktls);

}  // namespace zx
