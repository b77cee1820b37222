// SPDX-License-Identifier: MIT
#include "common/net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <vector>

#include "common/base/error.h"

namespace zx {
namespace {

using SslPtr = std::unique_ptr<SSL, decltype(&SSL_free)>;
using ContextPtr = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// ALPN in wire form: a length byte and the name.
constexpr unsigned char kAlpn[] = "\x07zxfer/1";
constexpr unsigned kAlpnBytes = sizeof kAlpn - 1;

// Ciphertext is gathered so that one send(2) carries many 16 KiB records, and read as many at a
// time: per record it would be 61,000 calls a GB. 256 KiB stays in L2.
constexpr size_t kBatchBytes = 256 << 10;

const char* suite_name(uint8_t suite) {
  return suite == kSuiteChaCha20Poly1305 ? "TLS_CHACHA20_POLY1305_SHA256"
                                         : "TLS_AES_128_GCM_SHA256";
}

std::string openssl_errors() {
  std::string out;
  for (unsigned long code; (code = ERR_get_error()) != 0;) {
    const char* reason = ERR_reason_error_string(code);
    if (!out.empty()) out += "; ";
    out += reason != nullptr ? reason : "unknown";
  }
  return out.empty() ? "no reason given" : out;
}

// --- the BIO between OpenSSL and our socket: batches, time-outs and stop signals in one place

// What the BIO works on. An exception cannot pass through OpenSSL's C frames: it waits here.
struct Transport {
  Socket* socket = nullptr;
  std::vector<std::byte> pending;
  std::exception_ptr error;

  void flush() {
    if (pending.empty()) return;
    socket->send_all(pending, More::No);
    pending.clear();
  }
  void rethrow() {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
  }
};

Transport& transport_of(BIO* bio) {
  return *static_cast<Transport*>(BIO_get_data(bio));
}

int bio_write(BIO* bio, const char* data, size_t size, size_t* written) {
  Transport& t = transport_of(bio);
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  *written = 0;
  if (t.error) return 0;
  try {
    t.pending.insert(t.pending.end(), bytes, bytes + size);
    if (t.pending.size() >= kBatchBytes) t.flush();
  } catch (...) {
    t.error = std::current_exception();
    return 0;
  }
  *written = size;
  return 1;
}

int bio_read(BIO* bio, char* data, size_t size, size_t* read) {
  Transport& t = transport_of(bio);
  *read = 0;
  if (t.error) return 0;
  try {
    *read = t.socket->recv_some({reinterpret_cast<std::byte*>(data), size});
  } catch (...) {
    t.error = std::current_exception();
    return 0;
  }
  return *read > 0 ? 1 : 0;
}

long bio_control(BIO* bio, int command, long, void*) {
  Transport& t = transport_of(bio);
  if (command != BIO_CTRL_FLUSH) return 0;
  try {
    t.flush();
  } catch (...) {
    t.error = std::current_exception();
    return 0;
  }
  return 1;
}

const BIO_METHOD* bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "zx socket");
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

// --- the channel

class TlsChannel final : public Channel {
 public:
  TlsChannel(Socket s, SslPtr ssl)
      : Channel(std::move(s)), ssl_(std::move(ssl)), bio_(BIO_new(bio_method())) {
    if (bio_ == nullptr) throw Error(ExitStatus::Internal, "OpenSSL: no BIO");
    transport_.socket = &socket();
    transport_.pending.reserve(kBatchBytes + (32 << 10));
    BIO_set_data(bio_, &transport_);
    BIO_set_init(bio_, 1);
    SSL_set_bio(ssl_.get(), bio_, bio_);  // ssl_ owns it now
  }

  SSL* ssl() { return ssl_.get(); }
  Transport& transport() { return transport_; }

  void send(std::span<const std::byte> bytes, More more) override {
    while (!bytes.empty()) {
      size_t n = 0;
      ERR_clear_error();
      if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n) != 1) {
        transport_.rethrow();
        throw Error(ExitStatus::Auth, socket().peer() + ": TLS send: " + openssl_errors());
      }
      bytes = bytes.subspan(n);
    }
    if (more == More::No) transport_.flush();
  }

  size_t recv_some(std::span<std::byte> buffer) override {
    size_t n = 0;
    ERR_clear_error();
    if (SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &n) != 1) return read_failed();
    return n;
  }

  bool readable_now() override {
    return SSL_has_pending(ssl_.get()) == 1 || socket().readable_now();
  }
  bool wait_readable(std::chrono::milliseconds wait) override {
    return SSL_has_pending(ssl_.get()) == 1 || socket().wait_readable(wait);
  }

  void finish_sending() override {
    try {
      ERR_clear_error();
      (void)SSL_shutdown(ssl_.get());  // sends close_notify
      if (!transport_.error) transport_.flush();
    } catch (const Error&) {
      // The peer is gone; see the declaration.
    }
    socket().shutdown_send();
  }

  const char* tls_form() const override { return "user"; }
  std::string cipher() const override { return SSL_get_cipher_name(ssl_.get()); }

 private:
  size_t read_failed() {
    const int code = SSL_get_error(ssl_.get(), 0);
    transport_.rethrow();
    if (code == SSL_ERROR_ZERO_RETURN) return 0;
    const unsigned long first = ERR_peek_error();
    if (code == SSL_ERROR_SYSCALL || ERR_GET_REASON(first) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
      ended_early();
    throw Error(ExitStatus::Auth, socket().peer() + ": TLS receive: " + openssl_errors());
  }

  Transport transport_;
  SslPtr ssl_;
  BIO* bio_;
};

// --- the pre-shared key

// Reached from the callbacks through the SSL's application data.
struct PskState {
  std::string identity;
  std::array<std::byte, 32> key{};
  uint8_t suite = 0;
  bool identity_seen = false;
  ~PskState() { wipe(key); }
};

// In TLS 1.3 an external PSK is an SSL_SESSION whose hash is that of the suite (SHA-256 for both).
SSL_SESSION* make_psk_session(SSL* ssl, const PskState& state) {
  const unsigned char code[2] = {
      0x13, static_cast<unsigned char>(state.suite == kSuiteChaCha20Poly1305 ? 0x03 : 0x01)};
  SSL_SESSION* session = SSL_SESSION_new();
  const SSL_CIPHER* cipher = SSL_CIPHER_find(ssl, code);
  if (session != nullptr && cipher != nullptr &&
      SSL_SESSION_set1_master_key(session, reinterpret_cast<const unsigned char*>(state.key.data()),
                                  state.key.size()) == 1 &&
      SSL_SESSION_set_cipher(session, cipher) == 1 &&
      SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) == 1)
    return session;
  SSL_SESSION_free(session);
  return nullptr;
}

PskState& psk_state(SSL* ssl) {
  return *static_cast<PskState*>(SSL_get_app_data(ssl));
}

int use_psk(SSL* ssl, const EVP_MD*, const unsigned char** id, size_t* id_size, SSL_SESSION** out) {
  PskState& state = psk_state(ssl);
  *out = make_psk_session(ssl, state);
  if (*out == nullptr) return 0;
  *id = reinterpret_cast<const unsigned char*>(state.identity.data());
  *id_size = state.identity.size();
  state.identity_seen = true;
  return 1;
}

int find_psk(SSL* ssl, const unsigned char* id, size_t id_size, SSL_SESSION** out) {
  PskState& state = psk_state(ssl);
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

ContextPtr make_context(uint8_t suite, bool listener) {
  ContextPtr context(SSL_CTX_new(listener ? TLS_server_method() : TLS_client_method()),
                     SSL_CTX_free);
  SSL_CTX* c = context.get();
  const bool ok = c != nullptr && SSL_CTX_set_min_proto_version(c, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_max_proto_version(c, TLS1_3_VERSION) == 1 &&
                  SSL_CTX_set_ciphersuites(c, suite_name(suite)) == 1 &&
                  SSL_CTX_set_num_tickets(c, 0) == 1 &&
                  SSL_CTX_set_alpn_protos(c, kAlpn, kAlpnBytes) == 0;
  if (!ok) throw Error(ExitStatus::Internal, "OpenSSL set-up: " + openssl_errors());
  SSL_CTX_set_options(c, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_early_data(c, 0);
  SSL_CTX_set_mode(c, SSL_MODE_AUTO_RETRY);
  SSL_CTX_set_default_read_buffer_len(c, kBatchBytes);
  if (listener) {
    SSL_CTX_set_psk_find_session_callback(c, find_psk);
    SSL_CTX_set_alpn_select_cb(c, select_alpn, nullptr);
  } else {
    // No certificate can be verified because none may be used: a server that sends one is an error.
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_psk_use_session_callback(c, use_psk);
  }
  return context;
}

// After the handshake nothing is taken on trust from its success alone.
void require_psk_was_used(SSL* ssl, const PskState& state, const std::string& peer) {
  const unsigned char* alpn = nullptr;
  unsigned alpn_size = 0;
  SSL_get0_alpn_selected(ssl, &alpn, &alpn_size);
  const bool fine = SSL_version(ssl) == TLS1_3_VERSION && SSL_session_reused(ssl) == 1 &&
                    state.identity_seen && alpn_size == kAlpnBytes - 1 &&
                    std::memcmp(alpn, kAlpn + 1, alpn_size) == 0 &&
                    std::strcmp(SSL_get_cipher_name(ssl), suite_name(state.suite)) == 0;
  if (!fine) throw Error(ExitStatus::Auth, peer + ": TLS: the key was not used in the handshake");
}

}  // namespace

bool aes_is_fast() {
  static const bool fast = [] {
    const auto time_of = [](const EVP_CIPHER* cipher) {
      constexpr int kRecord = 16 << 10, kRounds = 8;
      std::vector<unsigned char> in(kRecord), out(kRecord + 64);
      unsigned char key[32] = {}, iv[12] = {};
      const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
          EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
      auto best = Clock::duration::max();
      for (int i = 0; i < kRounds; ++i) {
        int n = 0;
        const auto start = Clock::now();
        EVP_EncryptInit_ex(context.get(), cipher, nullptr, key, iv);
        EVP_EncryptUpdate(context.get(), out.data(), &n, in.data(), kRecord);
        best = std::min(best, Clock::now() - start);  // the minimum: noise only ever adds
      }
      return best;
    };
    // With AES instructions the two are near each other and AES is what kernels accelerate too;
    // without, AES is several times slower and not constant-time.
    return time_of(EVP_aes_128_gcm()) < 2 * time_of(EVP_chacha20_poly1305());
  }();
  return fast;
}

uint8_t offered_suites() {
  return aes_is_fast() ? kSuiteAes128Gcm | kSuiteChaCha20Poly1305 : kSuiteChaCha20Poly1305;
}

uint8_t choose_suite(uint8_t offered_by_connector) {
  if ((offered_by_connector & kSuiteAes128Gcm) != 0 && aes_is_fast()) return kSuiteAes128Gcm;
  return offered_by_connector & kSuiteChaCha20Poly1305;
}

std::unique_ptr<Channel> tls_psk_handshake(Socket socket, const Key& key, uint8_t suite,
                                           bool listener, Role connector_role) {
  const std::string peer = socket.peer();
  PskState state{key.identity(), key.derive("tls-psk", connector_role), suite, false};
  const ContextPtr context = make_context(suite, listener);
  SslPtr ssl(SSL_new(context.get()), SSL_free);
  if (!ssl) throw Error(ExitStatus::Internal, "OpenSSL: " + openssl_errors());
  SSL_set_app_data(ssl.get(), &state);
  auto channel = std::make_unique<TlsChannel>(std::move(socket), std::move(ssl));
  SSL* s = channel->ssl();

  ERR_clear_error();
  const int result = listener ? SSL_accept(s) : SSL_connect(s);
  if (result != 1) {
    const int code = SSL_get_error(s, result);
    const unsigned long first = ERR_peek_error();
    Transport& transport = channel->transport();
    if (!transport.error && code == SSL_ERROR_SSL &&
        ERR_GET_REASON(first) != SSL_R_UNEXPECTED_EOF_WHILE_READING) {
      const std::string why = openssl_errors();
      channel->finish_sending();  // the alert that OpenSSL made
      channel->socket().drain(std::chrono::milliseconds(1000));
      throw Error(ExitStatus::Auth,
                  peer + ": TLS handshake: " + why + " (do both sides have the same key?)");
    }
    transport.rethrow();
    throw Error(ExitStatus::Network, peer + ": the connection ended during the TLS handshake");
  }
  require_psk_was_used(s, state, peer);
  // The callbacks are done; nothing may point to `state` after this function.
  SSL_set_app_data(s, nullptr);
  // From here on OpenSSL may read as many records at once as have arrived.
  SSL_set_read_ahead(s, 1);
  return channel;
}

}  // namespace zx
