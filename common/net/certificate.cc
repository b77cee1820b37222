// SPDX-License-Identifier: MIT
#include "common/net/certificate.h"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/operator_file.h"
#include "common/net/key.h"
#include "common/net/tls_channel.h"

namespace zx {
namespace {

constexpr size_t kMaxKeyFileBytes = 64 << 10;

[[noreturn]] void fail(const char* option, const std::string& path, const std::string& why) {
  throw Error(ExitStatus::Auth, std::string(option) + " " + quote(path) + ": " + why);
}

// Never asks: a listener may have no terminal, and a connector would mix it up with its own prompt.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

void use_private_key(SSL_CTX* context, const std::string& path) {
  std::string text = read_private_file(path, "--tls-key", kMaxKeyFileBytes);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr) : nullptr,
      EVP_PKEY_free);
  wipe(text);
  if (!key) fail("--tls-key", path, "no unencrypted private key in it: " + openssl_errors());
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1)
    fail("--tls-key", path, "does not belong to the certificate: " + openssl_errors());
}

}  // namespace

void use_certificates(SSL_CTX* context, const CertificateFiles& files) {
  // OpenSSL's own words for a file that cannot be opened are "unknown; system lib".
  (void)open_operator_file(files.certificate, O_RDONLY, 0, "--tls-cert", ExitStatus::Auth);
  (void)open_operator_file(files.authority, O_RDONLY, 0, "--tls-ca", ExitStatus::Auth);
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    fail("--tls-cert", files.certificate, openssl_errors());
  use_private_key(context, files.key);
  if (SSL_CTX_load_verify_file(context, files.authority.c_str()) != 1)
    fail("--tls-ca", files.authority, openssl_errors());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

void check_certificates(const CertificateFiles& files) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_method()),
                                                                  SSL_CTX_free);
  if (!context) throw Error(ExitStatus::Internal, "OpenSSL set-up: " + openssl_errors());
  use_certificates(context.get(), files);
}

void require_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // An address is looked for among the addresses of the certificate, never among its names.
  if (X509_VERIFY_PARAM_set1_ip_asc(param, host.c_str()) == 1) return;
  if (X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl, host.c_str()) != 1)
    throw Error(ExitStatus::Internal, "OpenSSL does not take the host name");
}

}  // namespace zx
