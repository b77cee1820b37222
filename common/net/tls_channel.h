// SPDX-License-Identifier: MIT
// The TLS channel whose record layer is OpenSSL's, in user space. The handshake runs on it too
// (tls.h), and when the kernel takes over the record layer afterwards (ktls.h), its socket is taken
// out of it.
#pragma once

#include <openssl/ssl.h>

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "common/net/channel.h"

namespace zx {

using SslPtr = std::unique_ptr<SSL, decltype(&SSL_free)>;

/// OpenSSL's queue of errors, emptied, as one text.
std::string openssl_errors();

class TlsChannel final : public Channel {
 public:
  TlsChannel(Socket socket, SslPtr ssl);

  SSL* ssl() { return ssl_.get(); }
  /// Throws what a call of the socket inside OpenSSL has thrown, if anything.
  void rethrow_transport_error() { transport_.rethrow(); }
  bool transport_failed() const { return transport_.error != nullptr; }
  /// True when neither side of OpenSSL holds bytes of the connection: the kernel's queue then
  /// begins with a whole record, and nothing of ours is still to be sent.
  bool at_record_boundary() const;
  /// The handshake is over and this channel stays: from here on OpenSSL reads as many records at
  /// once as have arrived. `why`: why the kernel does not do it.
  void stay_in_user_space(std::string why);

  void send(std::span<const std::byte> bytes, More more) override;
  void finish_sending() override;
  const char* tls_form() const override { return "user"; }
  std::string tls_why() const override { return why_; }
  std::string cipher() const override { return SSL_get_cipher_name(ssl_.get()); }

 private:
  size_t read_stream(std::span<std::byte> buffer) override;
  bool stream_readable() override;

  // What the BIO works on. An exception cannot pass through OpenSSL's C frames: it waits here.
  struct Transport {
    Socket* socket = nullptr;
    std::vector<std::byte> pending;
    std::exception_ptr error;

    template <typename F>
    int run(F f);
    void flush();
    void rethrow();
  };
  static Transport& transport_of(BIO* bio);
  static int bio_write(BIO* bio, const char* data, size_t size, size_t* written);
  static int bio_read(BIO* bio, char* data, size_t size, size_t* read);
  static long bio_control(BIO* bio, int command, long, void*);
  static const BIO_METHOD* bio_method();
  static void on_message(int is_sent, int version, int content_type, const void* data, size_t size,
                         SSL* ssl, void* channel);

  size_t read_failed();

  Transport transport_;
  SslPtr ssl_;
  BIO* bio_;
  std::string why_;
  const char* unexpected_ = nullptr;  // what the peer has sent of that
};

}  // namespace zx
