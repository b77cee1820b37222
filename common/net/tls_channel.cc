// SPDX-License-Identifier: MIT
#include "common/net/tls_channel.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <utility>

#include "common/base/defer.h"
#include "common/base/error.h"

namespace zx {
namespace {

// Ciphertext is gathered so that one send(2) carries many 16 KiB records, and read as many at a
// time: per record it would be 61,000 calls a GB. 256 KiB stays in L2.
constexpr size_t kBatchBytes = 256 << 10;

}  // namespace

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

void TlsChannel::Transport::flush() {
  if (pending.empty()) return;
  size_t sent = 0;
  // What has left must not be sent again; what has not still belongs before the last words.
  const Defer at_the_end(
      [&] { pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(sent)); });
  socket->send_all(pending, More::No, &sent);
}

void TlsChannel::Transport::rethrow() {
  if (error) std::rethrow_exception(std::exchange(error, nullptr));
}

TlsChannel::Transport& TlsChannel::transport_of(BIO* bio) {
  return *static_cast<Transport*>(BIO_get_data(bio));
}

// 1, or 0 when f() has thrown, now or before.
template <typename F>
int TlsChannel::Transport::run(F f) {
  if (error) return 0;
  try {
    f();
    return 1;
  } catch (...) {
    error = std::current_exception();
    return 0;
  }
}

int TlsChannel::bio_write(BIO* bio, const char* data, size_t size, size_t* written) {
  Transport& t = transport_of(bio);
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  *written = 0;
  (void)t.run([&] {
    t.pending.insert(t.pending.end(), bytes, bytes + size);
    *written = size;  // also when the rest of it leaves later, or never
    if (t.pending.size() >= kBatchBytes) t.flush();
  });
  return *written > 0 ? 1 : 0;
}

int TlsChannel::bio_read(BIO* bio, char* data, size_t size, size_t* read) {
  Transport& t = transport_of(bio);
  *read = 0;
  (void)t.run([&] { *read = t.socket->recv_some({reinterpret_cast<std::byte*>(data), size}); });
  return *read > 0 ? 1 : 0;
}

long TlsChannel::bio_control(BIO* bio, int command, long, void*) {
  Transport& t = transport_of(bio);
  return command == BIO_CTRL_FLUSH ? t.run([&] { t.flush(); }) : 0;
}

const BIO_METHOD* TlsChannel::bio_method() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "zx socket");
    BIO_meth_set_write_ex(m, bio_write);
    BIO_meth_set_read_ex(m, bio_read);
    BIO_meth_set_ctrl(m, bio_control);
    return m;
  }();
  return method;
}

// A KeyUpdate is refused as kernel TLS has to refuse it (before 6.14 it cannot take a second key),
// and so is a ticket: what a peer may do must not depend on where the record layer runs.
void TlsChannel::on_message(int is_sent, int, int content_type, const void* data, size_t size, SSL*,
                            void* channel) {
  if (is_sent != 0 || content_type != SSL3_RT_HANDSHAKE || size == 0) return;
  const unsigned char type = *static_cast<const unsigned char*>(data);
  if (type == SSL3_MT_KEY_UPDATE)
    static_cast<TlsChannel*>(channel)->unexpected_ = kKeyUpdateName;
  else if (type == SSL3_MT_NEWSESSION_TICKET)
    static_cast<TlsChannel*>(channel)->unexpected_ = kTicketName;
}

// --- the channel

TlsChannel::TlsChannel(Socket s, SslPtr ssl)
    : Channel(std::move(s)), ssl_(std::move(ssl)), bio_(BIO_new(bio_method())) {
  if (bio_ == nullptr) throw Error(ExitStatus::Internal, "OpenSSL: no BIO");
  transport_.socket = &socket();
  transport_.pending.reserve(kBatchBytes + (32 << 10));
  BIO_set_data(bio_, &transport_);
  BIO_set_init(bio_, 1);
  SSL_set_bio(ssl_.get(), bio_, bio_);  // ssl_ owns it now
  SSL_set_default_read_buffer_len(ssl_.get(), kBatchBytes);
  SSL_set_msg_callback(ssl_.get(), on_message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
}

bool TlsChannel::at_record_boundary() const {
  return transport_.pending.empty() && SSL_has_pending(ssl_.get()) == 0;
}

void TlsChannel::stay_in_user_space(std::string why) {
  why_ = std::move(why);
  SSL_set_read_ahead(ssl_.get(), 1);
}

void TlsChannel::send(std::span<const std::byte> bytes, More more) {
  while (!bytes.empty()) {
    size_t n = 0;
    ERR_clear_error();
    if (SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &n) != 1) {
      transport_.rethrow();
      throw Error(ExitStatus::Auth, socket().peer() + ": TLS send: " + openssl_errors());
    }
    transport_.rethrow();
    bytes = bytes.subspan(n);
  }
  if (more == More::No) transport_.flush();
}

size_t TlsChannel::read_stream(std::span<std::byte> buffer) {
  size_t n = 0;
  ERR_clear_error();
  const int result = SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &n);
  if (unexpected_ != nullptr) unexpected(unexpected_);
  return result == 1 ? n : read_failed();
}

bool TlsChannel::stream_readable() {
  return SSL_has_pending(ssl_.get()) == 1 || socket().readable_now();
}

void TlsChannel::finish_sending() {
  try {
    ERR_clear_error();
    transport_.error = nullptr;
    (void)SSL_shutdown(ssl_.get());  // sends close_notify
    transport_.flush();
  } catch (const Error&) {
    // The peer is gone; see the declaration.
  }
  socket().shutdown_send();
}

size_t TlsChannel::read_failed() {
  const int code = SSL_get_error(ssl_.get(), 0);
  transport_.rethrow();
  if (code == SSL_ERROR_ZERO_RETURN) return 0;
  const unsigned long first = ERR_peek_error();
  if (code == SSL_ERROR_SYSCALL || ERR_GET_REASON(first) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
    ended_early();
  if (ERR_GET_REASON(first) == SSL_R_UNEXPECTED_MESSAGE) unexpected("handshake message");
  throw Error(ExitStatus::Auth, socket().peer() + ": TLS receive: " + openssl_errors());
}

}  // namespace zx
