// SPDX-License-Identifier: MIT
// Mutual certificates instead of a shared key: --tls-cert, --tls-key, --tls-ca.
#pragma once

#include <openssl/ssl.h>

#include <string>

namespace zx {

struct CertificateFiles {
  std::string certificate;  // PEM: this side's, then the chain up to the CA
  std::string key;          // PEM, unencrypted, private to the user
  std::string authority;    // PEM: the CAs whose certificates the peer may have
};

/// Loads them into a context and makes a valid certificate of the peer a condition: one that a
/// listener's must be good for a server, a connector's for a client (extended key usage). Throws
/// Error{Auth} that names the file, Error{FileIo} when it cannot be opened.
void use_certificates(SSL_CTX* context, const CertificateFiles& files);

/// The same on a throw-away context: what is wrong with the files is found before anyone connects.
void check_certificates(const CertificateFiles& files);

/// The names and addresses that a certificate is for, quoted, as a list in words.
std::string names_in(const X509* certificate);

/// Connector: the peer's certificate must be for this host, a name or an address. Throws
/// Error{Internal}.
void require_host(SSL* ssl, const std::string& host);

}  // namespace zx
