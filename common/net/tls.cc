// SPDX-License-Identifier: MIT
#include "common/net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/net/tls_channel.h"

namespace zx {
namespace {

using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// ALPN in wire form: a length byte and the name.
constexpr unsigned char kAlpn[] = "\x07zxfer/1";
constexpr unsigned kAlpnBytes = sizeof kAlpn - 1;
// RFC 8446, 7.5; the label is ours.
constexpr std::string_view kJoinLabel = "EXPORTER-zxfer-join";

// What the callbacks need, reached through the SSL's application data while the handshake runs.
struct HandshakeState {
  const Suite& suite;
  std::string identity;
  std::array<std::byte, 32> psk{};
  bool identity_seen = false;
  std::string certificate_names;  // of a peer whose certificate is for another host
  TrafficSecrets secrets;
  ~HandshakeState() { wipe(psk); }
};

HandshakeState& state_of(const SSL* ssl) {
  return *static_cast<HandshakeState*>(SSL_get_app_data(ssl));
}

// --- the pre-shared key

// In TLS 1.3 an external PSK is an SSL_SESSION with the suite, whose hash is the PSK's.
SSL_SESSION* make_psk_session(SSL* ssl, const HandshakeState& state) {
  const unsigned char code[2] = {0x13, state.suite.code};
  SSL_SESSION* session = SSL_SESSION_new();
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, code);
  if (session != nullptr && cipher != nullptr &&
      SSL_SESSION_set1_master_key(session, reinterpret_cast<const unsigned char*>(state.psk.data()),
                                  state.psk.size()) == 1 &&
      SSL_SESSION_set_cipher(session, cipher) == 1 &&
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
    return session;
  SSL_SESSION_free(session);
  return nullptr;
}

int use_psk(SSL* ssl, const EVP_MD*, const unsigned char** id, size_t* id_size, SSL_SESSION** out) {
  HandshakeState& state = state_of(ssl);
  *out = make_psk_session(ssl, state);
  if (*out == nullptr) return 0;
  *id = reinterpret_cast<const unsigned char*>(state.identity.data());
  *id_size = state.identity.size();
  state.identity_seen = true;
  return 1;
}

int find_psk(SSL* ssl, const unsigned char* id, size_t id_size, SSL_SESSION** out) {
  HandshakeState& state = state_of(ssl);
  *out = nullptr;
  if (id_size != state.identity.size() || std::memcmp(id, state.identity.data(), id_size) != 0)
    return 1;  // not ours: go on without a PSK, which fails for want of a certificate
  state.identity_seen = true;
  *out = make_psk_session(ssl, state);
  return *out != nullptr ? 1 : 0;
}

int select_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                unsigned in_size, void*) {
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kAlpn, kAlpnBytes, in, in_size) !=
      OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

// --- certificates

// Keeps for the error message what OpenSSL forgets of a certificate that it does not accept.
int note_names(int accepted, X509_STORE_CTX* store) {
  const int error = X509_STORE_CTX_get_error(store);
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* certificate = X509_STORE_CTX_get0_cert(store);
  if (accepted == 0 && ssl != nullptr && certificate != nullptr &&
      (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH))
    state_of(ssl).certificate_names = names_in(certificate);
  return accepted;
}

// --- the traffic secrets, for the kernel

void keep_secret(std::string_view hex, std::array<std::byte, 48>* out, size_t* size) {
  const auto nibble = [](char c) { return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10; };
  *size = std::min(hex.size() / 2, out->size());
  for (size_t i = 0; i < *size; ++i)
    (*out)[i] = static_cast<std::byte>(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
}

// OpenSSL has no other way to tell them. Lines are "LABEL CLIENT_RANDOM SECRET" (SSLKEYLOGFILE
// format); they are written nowhere, and OpenSSL clears its buffer.
void on_key_log(const SSL* ssl, const char* text) {
  const std::string_view line = text;
  if (SSL_get_app_data(ssl) == nullptr) return;
  TrafficSecrets& secrets = state_of(ssl).secrets;
  const std::string_view hex = line.substr(line.rfind(' ') + 1);
  if (line.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
    keep_secret(hex, &secrets.client, &secrets.client_bytes);
  if (line.starts_with("SERVER_TRAFFIC_SECRET_0 "))
    keep_secret(hex, &secrets.server, &secrets.server_bytes);
}

// --- the handshake

ContextPtr make_context(const TlsSetup& setup) {
  ContextPtr context(SSL_CTX_new(setup.listener ? TLS_server_method() : TLS_client_method()),
                     SSL_CTX_free);
  SSL_CTX* c = context.get();
  const bool ok = c != nullptr && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_ciphersuites(c, suite_of(setup.suite).name) == 1 &&
                  SSL_CTX_set_num_tickets(c, 0) == 1 &&
                  SSL_CTX_set_alpn_protos(c, kAlpn, kAlpnBytes) == 0;
  if (!ok) throw Error(ExitStatus::Internal, "OpenSSL set-up: " + openssl_errors());
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(c, 0);
  SSL_CTX_set_mode(c, SSL_MODE_AUTO_RETRY);
  if (setup.listener) SSL_CTX_set_alpn_select_cb(c, select_alpn, nullptr);
  if (setup.ktls != Ktls::Off) SSL_CTX_set_keylog_callback(c, on_key_log);

  if (setup.certificates != nullptr) {
    use_certificates(c, *setup.certificates);
    SSL_CTX_set_verify(c, SSL_CTX_get_verify_mode(c), note_names);
  } else if (setup.listener) {
    SSL_CTX_set_psk_find_session_callback(c, find_psk);
  } else {
    // No certificate can be verified because none may be used: a server that sends one is an error.
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_psk_use_session_callback(c, use_psk);
  }
  return context;
}

// After a failed handshake this sends the alert that OpenSSL has made, else close_notify; the peer
// gets a moment to read it.
[[noreturn]] void refuse(TlsChannel& channel, const std::string& why) {
  channel.finish_sending();
  channel.socket().drain(std::chrono::milliseconds(1000));
  throw Error(ExitStatus::Auth, channel.socket().peer() + ": " + why);
}

// OpenSSL's words only where there are no better ones.
std::string failed_handshake(SSL* ssl, const TlsSetup& setup, int reason) {
  const std::string words = "TLS handshake: " + openssl_errors();
  if (setup.certificates == nullptr)
    return reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE ||
                   reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM
               ? "not authenticated: the keys differ (or the peer is not zsend or zrecv)"
               : words + " (do both sides have the same key?)";
  const std::string& names = state_of(ssl).certificate_names;
  if (!names.empty())
    return "the peer's certificate is for " + names + ", not for " + quote(setup.host) +
           " (hostname mismatch)";
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK)
    return std::string("the peer's certificate does not verify: ") +
           X509_verify_cert_error_string(verified);
  // Alerts about certificates (RFC 8446, 6.2); OpenSSL adds their number to 1000.
  const int alert = reason - SSL_AD_REASON_OFFSET;
  if ((alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
      alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_CERTIFICATE_REQUIRED)
    return "the peer does not accept this side's certificate, and says why (" + words + ")";
  return words;
}

void run_handshake(TlsChannel& channel, const TlsSetup& setup) {
  SSL* ssl = channel.ssl();
  ERR_clear_error();
  const int result = setup.listener ? SSL_accept(ssl) : SSL_connect(ssl);
  if (result == 1) return;
  const int code = SSL_get_error(ssl, result);
  const unsigned long first = ERR_peek_error();
  if (!channel.transport_failed() && code == SSL_ERROR_SSL &&
      ERR_GET_REASON(first) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    refuse(channel, failed_handshake(ssl, setup, ERR_GET_REASON(first)));
  }
  channel.rethrow_transport_error();
  throw Error(ExitStatus::Network,
              channel.socket().peer() + ": the connection ended during the TLS handshake");
}

// Nothing is taken on trust from the handshake's success alone.
void require_authenticated(TlsChannel& channel, const TlsSetup& setup,
                           const HandshakeState& state) {
  SSL* ssl = channel.ssl();
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  const bool as_asked = SSL_version(ssl) == TLS1_3_VERSION && alpn_size == kAlpnBytes - 1 &&
                        std::memcmp(alpn, kAlpn + 1, alpn_size) == 0 &&
                        std::strcmp(SSL_get_cipher_name(ssl), state.suite.name) == 0;
  const bool authentic = setup.certificates != nullptr
                             ? SSL_get0_peer_certificate(ssl) != nullptr &&
                                   SSL_get_verify_result(ssl) == X509_V_OK &&
                                   SSL_session_reused(ssl) == 0
                             : SSL_session_reused(ssl) == 1 && state.identity_seen;
  if (!as_asked) refuse(channel, "TLS: another version, suite or protocol than was asked for");
  if (!authentic)
    refuse(channel, setup.certificates != nullptr
                        ? "TLS: the certificates were not used in the handshake"
                        : "TLS: the key was not used in the handshake");
}

Key export_join_key(SSL* ssl) {
  std::array<std::byte, kRawKeyBytes> bytes{};
  if (SSL_export_keying_material(ssl, reinterpret_cast<unsigned char*>(bytes.data()), bytes.size(),
                                 kJoinLabel.data(), kJoinLabel.size(), nullptr, 0, 0) != 1)
    throw Error(ExitStatus::Internal, "OpenSSL cannot export a key: " + openssl_errors());
  const Key key = Key::from_bytes(bytes);
  wipe(bytes);
  return key;
}

// The kernel's record layer where it can be had, else the one we have.
std::unique_ptr<Channel> choose_record_layer(std::unique_ptr<TlsChannel> channel,
                                             const TlsSetup& setup, const HandshakeState& state) {
  std::string why = ktls_obstacle(state.suite, setup.ktls);
  if (why.empty() && !channel->at_record_boundary()) why = "OpenSSL has read ahead";
  if (why.empty())
    why = install_ktls(channel->socket().fd(), state.suite, state.secrets, !setup.listener);
  if (why.empty()) return make_ktls_channel(Channel::take_socket(std::move(channel)), state.suite);
  // The kernel does not take over what is not there any more; that is no fault of this machine.
  if (setup.ktls == Ktls::On && !channel->socket().is_established()) {
    // An alert says why, for instance that the peer does not accept this side's certificate.
    std::byte first{};
    try {
      (void)channel->recv_some({&first, 1});
    } catch (const Error& error) {
      if (error.status() != ExitStatus::Network) throw;
    }
    throw Error(ExitStatus::Network,
                channel->socket().peer() + ": the connection ended during the TLS handshake");
  }
  if (setup.ktls == Ktls::On) throw KernelTlsError(channel->socket().peer() + ": " + why);
  channel->stay_in_user_space(why);
  return channel;
}

}  // namespace

TlsConnection tls_handshake(Socket socket, const TlsSetup& setup) {
  HandshakeState state{suite_of(setup.suite), {}, {}, false, {}, {}};
  if (setup.key != nullptr) {
    state.identity = setup.key->identity();
    // One key, one hash (RFC 8446, 4.2.11): SHA-384 has a PSK of its own.
    auto psk =
        setup.key->derive(state.suite.sha384 ? "tls-psk-sha384" : "tls-psk", setup.connector_role);
    state.psk = psk;
    wipe(psk);
  }
  const ContextPtr context = make_context(setup);
  SslPtr ssl(SSL_new(context.get()), SSL_free);
  if (!ssl) throw Error(ExitStatus::Internal, "OpenSSL: " + openssl_errors());
  SSL_set_app_data(ssl.get(), &state);
  if (setup.certificates != nullptr && !setup.listener) require_host(ssl.get(), setup.host);

  auto channel = std::make_unique<TlsChannel>(std::move(socket), std::move(ssl));
  run_handshake(*channel, setup);
  require_authenticated(*channel, setup, state);
  Key join_key = export_join_key(channel->ssl());
  // The callbacks are done; nothing may point to `state` after this function.
  SSL_set_app_data(channel->ssl(), nullptr);
  return {choose_record_layer(std::move(channel), setup, state), std::move(join_key)};
}

uint8_t usable_suites(uint8_t wanted, Ktls ktls) {
  if (ktls != Ktls::On) return wanted;
  uint8_t out = 0;
  std::string why;
  for (uint8_t bit = 1; bit != 0; bit = static_cast<uint8_t>(bit << 1)) {
    if ((wanted & bit) == 0) continue;
    const std::string obstacle = ktls_obstacle(suite_of(bit), ktls);
    if (obstacle.empty())
      out |= bit;
    else if (why.empty())
      why = obstacle;
  }
  if (out == 0) throw Error(ExitStatus::Auth, "--ktls=on: " + why);
  return out;
}

}  // namespace zx
