// SPDX-License-Identifier: MIT
// TLS 1.3 with an external pre-shared key, by OpenSSL: the handshake, and the channel whose record
// layer is in user space. No certificate is ever loaded into these contexts: with one, OpenSSL 3.0
// completes the handshake for a wrong or missing key (measured). No tickets, no resumption, no
// early data, no renegotiation, no other TLS version.
#pragma once

#include <cstdint>
#include <memory>

#include "common/net/channel.h"
#include "common/net/key.h"
#include "common/wire/preface.h"

namespace zx {

/// The suites a connector here offers, as preface bits: both where AES is fast, else only ChaCha20.
uint8_t offered_suites();

/// The suite a listener pins, of those the connector offers: what this CPU is fast at. 0 for none.
uint8_t choose_suite(uint8_t offered_by_connector);

/// Whether AES-128-GCM is fast here: a self-test of about 1 ms against ChaCha20-Poly1305, because
/// CPU flags say neither what OpenSSL uses of them nor anything on other architectures.
bool aes_is_fast();

/// Runs the handshake with exactly one suite (a PrefaceSuite bit) under key.derive(...), as TLS
/// client (connector) or server (listener), and returns the channel. The socket's deadline applies.
/// Throws Error{Auth} when the peer has another key or none; the peer has then been told by an
/// alert.
std::unique_ptr<Channel> tls_psk_handshake(Socket socket, const Key& key, uint8_t suite,
                                           bool listener, Role connector_role);

}  // namespace zx
