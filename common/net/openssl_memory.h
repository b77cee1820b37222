// SPDX-License-Identifier: MIT
// OpenSSL 3.0 frees an SSL without wiping the secrets in it: seen with kernel TLS, where the
// traffic and exporter secrets stayed in the heap for the whole transfer.
#pragma once

namespace zx {

/// Whatever OpenSSL frees is wiped from here on. Before anything else of OpenSSL is called.
void wipe_what_openssl_frees();

}  // namespace zx
