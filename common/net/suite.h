// SPDX-License-Identifier: MIT
// The TLS 1.3 suites: their facts, and which of them this machine offers and picks. The suite is
// settled in the preface, before TLS begins, so that the handshake runs with exactly one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/wire/preface.h"

namespace zx {

struct Suite {
  PrefaceSuite bit;
  const char* word;  // on the command line
  const char* name;  // of IANA and OpenSSL
  uint8_t code;      // second byte of its number 0x13xx (RFC 8446, B.4)
  bool sha384;       // its hash; SHA-256 otherwise
  bool aes_gcm;      // one key is good for 2^24.5 full records (RFC 8446, 5.5)
  size_t key_bytes;
};

/// The suite of exactly one bit. Throws Error{Internal} for anything else.
const Suite& suite_of(uint8_t bit);
/// By its word on the command line.
std::optional<uint8_t> suite_bit(const char* word);

/// What a connector here offers, as preface bits: all where AES is fast, else only
/// ChaCha20-Poly1305.
uint8_t suites_fast_here();

/// The suite a listener pins, of those both sides take; 0 for none.
uint8_t choose_suite(uint8_t offered_by_connector, uint8_t taken_here);

}  // namespace zx
