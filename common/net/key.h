// SPDX-License-Identifier: MIT
// Keys: 256 random bits with a random id, as text with a checksum; where they come from; what is
// derived from them. A key never appears in argv, and its memory is wiped when it is destroyed.
//
// Text: "zk1_" and 64 characters of base32 (Crockford's alphabet, lower case, no i l o u) for
//   4 bytes id, 32 bytes secret, 4 bytes checksum (first bytes of SHA-256 over id and secret).
// The id is drawn at random, not computed from the secret: it travels in clear as TLS PSK identity.
#pragma once

#include <openssl/types.h>

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/wire/preface.h"

namespace zx {

/// Id and secret.
constexpr size_t kRawKeyBytes = 36;

class Key {
 public:
  /// A new one from the system's random generator.
  static Key generate();
  /// Id and secret out of key material that was agreed on otherwise (a TLS exporter).
  static Key from_bytes(std::span<const std::byte, kRawKeyBytes> bytes);
  /// Throws Error{Auth} when the text is not a key: wrong prefix, length, character or checksum.
  /// Upper case is accepted. The text itself is never part of the message.
  static Key parse(std::string_view text);

  ~Key();
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;

  std::string text() const;
  /// Identity for TLS: "zxfer/1 " and the id in hex.
  std::string identity() const;
  /// 32 bytes for one purpose, HKDF-SHA256 with a label that names the purpose and the role of the
  /// connector, so that what one side sends can never be reflected to it (RFC 9257, "Selfie").
  std::array<std::byte, 32> derive(std::string_view purpose, Role connector_role) const;

 private:
  Key() = default;
  std::array<std::byte, 4> id_{};
  std::array<std::byte, 32> secret_{};
};

/// Bytes by one of OpenSSL's key derivation functions. Throws Error{Internal}.
void derive_bytes(const char* function, const OSSL_PARAM* params, std::span<std::byte> out);

/// Overwrites memory in a way the compiler keeps.
void wipe(std::span<std::byte> bytes);
void wipe(std::string& text);

/// Reads --key-file, which only this user and root may read (Reader::OnlyUser of
/// file/operator_file.h). Throws Error{Auth} with advice, Error{FileIo} when it cannot be read.
Key read_key_file(const std::string& path);

/// --new-key: makes the file, 0600, never over an existing one.
void write_key_file(const std::string& path, const Key& key);

/// Where a key may be in the environment. No command gets to see it.
constexpr const char* kKeyVariable = "ZXFER_KEY";
/// Takes it out of the environment, where other programs started from here would inherit it.
/// Its text, "" when there is none; the caller wipes it.
std::string take_key_from_environment();
/// The key that ZXFER_KEY was. Throws Error{Auth}.
Key parse_environment_key(const std::string& text);

/// Asks on /dev/tty without echo; nothing when there is no terminal. Blocking.
std::optional<Key> ask_for_key(std::string_view program);

}  // namespace zx
