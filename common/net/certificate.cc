// SPDX-License-Identifier: MIT
#include "common/net/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <array>
#include <memory>
#include <vector>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/operator_file.h"
#include "common/net/key.h"
#include "common/net/tls_channel.h"

namespace zx {
namespace {

constexpr size_t kMaxKeyFileBytes = 64 << 10, kMaxCertificateFileBytes = 4 << 20;

[[noreturn]] void fail(const char* option, const std::string& path, const std::string& why) {
  throw Error(ExitStatus::Auth, std::string(option) + " " + quote(path) + ": " + why);
}

// Never asks: a listener may have no terminal, and a connector would mix it up with its own prompt.
int no_passphrase(char*, int, int, void*) {
  return 0;
}

void use_private_key(SSL_CTX* context, const std::string& path) {
  std::string text = read_regular_file(path, "--tls-key", kMaxKeyFileBytes, Reader::OnlyUser);
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

using X509Ptr = std::unique_ptr<X509, decltype(&X509_free)>;

// Not by OpenSSL's own reader of files: that asks for pass phrases and waits for FIFOs.
std::vector<X509Ptr> read_certificates(const char* option, const std::string& path) {
  const std::string text =
      read_regular_file(path, option, kMaxCertificateFileBytes, Reader::Anybody);
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(text.data(), static_cast<int>(text.size())), BIO_free);
  std::vector<X509Ptr> out;
  ERR_clear_error();
  while (bio) {
    X509Ptr next(PEM_read_bio_X509_AUX(bio.get(), nullptr, no_passphrase, nullptr), X509_free);
    if (!next) break;
    out.push_back(std::move(next));
  }
  // The end of the text is an error to OpenSSL; any other is one to us too.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  if (out.empty() || !at_end)
    fail(option, path, "no certificate in PEM, or a damaged one: " + openssl_errors());
  ERR_clear_error();
  return out;
}

}  // namespace

void use_certificates(SSL_CTX* context, const CertificateFiles& files) {
  const std::vector<X509Ptr> chain = read_certificates("--tls-cert", files.certificate);
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1)
    fail("--tls-cert", files.certificate, openssl_errors());
  for (size_t i = 1; i < chain.size(); ++i)
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1)
      fail("--tls-cert", files.certificate, openssl_errors());
  use_private_key(context, files.key);
  for (const X509Ptr& authority : read_certificates("--tls-ca", files.authority))
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), authority.get()) != 1)
      fail("--tls-ca", files.authority, openssl_errors());
  // A CA that was named is trusted, also when it is not a root.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

void check_certificates(const CertificateFiles& files) {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_method()),
                                                                  SSL_CTX_free);
  if (!context) throw Error(ExitStatus::Internal, "OpenSSL set-up: " + openssl_errors());
  use_certificates(context.get(), files);
}

std::string names_in(const X509* certificate) {
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  std::string out;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    int type = 0;
    const auto* value = static_cast<const ASN1_STRING*>(
        GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type));
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const auto size = static_cast<size_t>(ASN1_STRING_length(value));
    std::string text(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)), size);
    if (type == GEN_IPADD) {
      std::array<char, INET6_ADDRSTRLEN> address{};
      (void)inet_ntop(size == 4 ? AF_INET : AF_INET6, text.data(), address.data(), address.size());
      text = size == 4 || size == 16 ? address.data() : "?";
    }
    out += (out.empty() ? "" : ", ") + quote(text);
  }
  GENERAL_NAMES_free(names);
  return out.empty() ? "no host" : out;
}

void require_host(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* param = SSL_get0_param(ssl);
  // Not the subject's common name either: the name constraints of a CA do not reach it.
  X509_VERIFY_PARAM_set_hostflags(
      param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
  // An address is looked for among the addresses of the certificate, never among its names.
  // No certificate has the scope of a link-local one.
  if (X509_VERIFY_PARAM_set1_ip_asc(param, host.substr(0, host.find('%')).c_str()) == 1) return;
  if (X509_VERIFY_PARAM_set1_host(param, host.c_str(), host.size()) != 1 ||
      SSL_set_tlsext_host_name(ssl, host.c_str()) != 1)
    throw Error(ExitStatus::Internal, "OpenSSL does not take the host name");
}

}  // namespace zx
