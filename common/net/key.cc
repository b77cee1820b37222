// SPDX-License-Identifier: MIT
#include "common/net/key.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <memory>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quiet_terminal.h"
#include "common/base/quote.h"
#include "common/base/random.h"
#include "common/base/unique_fd.h"
#include "common/file/operator_file.h"

namespace zx {
namespace {

constexpr std::string_view kPrefix = "zk1_";
constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
constexpr size_t kIdBytes = 4, kSecretBytes = 32, kCheckBytes = 4;
static_assert(kIdBytes + kSecretBytes == kRawKeyBytes);
constexpr size_t kRawBytes = kIdBytes + kSecretBytes + kCheckBytes;  // 40: exactly 64 characters
constexpr size_t kTextChars = kRawBytes * 8 / 5;
constexpr size_t kMaxKeyFileBytes = 4096;

using Raw = std::array<std::byte, kRawBytes>;

unsigned char* uchar(std::byte* p) {
  return reinterpret_cast<unsigned char*>(p);
}
const unsigned char* uchar(const std::byte* p) {
  return reinterpret_cast<const unsigned char*>(p);
}

std::array<std::byte, kCheckBytes> checksum(std::span<const std::byte> id_and_secret) {
  std::array<std::byte, SHA256_DIGEST_LENGTH> hash{};
  SHA256(uchar(id_and_secret.data()), id_and_secret.size(), uchar(hash.data()));
  std::array<std::byte, kCheckBytes> out{};
  std::copy_n(hash.begin(), kCheckBytes, out.begin());
  return out;
}

[[noreturn]] void not_a_key(std::string_view why) {
  throw Error(ExitStatus::Auth, "not a key: " + std::string(why) +
                                    " (a key is zk1_ and 64 characters; --new-key makes one)");
}

// A line of `where`, which errors name.
Key parse_key_line(std::string_view text, const std::string& where) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' '))
    text.remove_suffix(1);
  try {
    return Key::parse(text);
  } catch (const Error& e) {
    throw Error(e.status(), where + e.what());
  }
}

}  // namespace

void wipe(std::span<std::byte> bytes) {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}
void wipe(std::string& text) {
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

Key::~Key() {
  wipe(secret_);
}

Key Key::from_bytes(std::span<const std::byte, kRawKeyBytes> bytes) {
  Key key;
  std::ranges::copy(bytes.first<kIdBytes>(), key.id_.begin());
  std::ranges::copy(bytes.last<kSecretBytes>(), key.secret_.begin());
  return key;
}

Key Key::generate() {
  Key key;
  fill_random(key.id_);
  fill_random(key.secret_);
  return key;
}

std::string Key::text() const {
  Raw raw{};
  std::ranges::copy(id_, raw.begin());
  std::ranges::copy(secret_, raw.begin() + kIdBytes);
  std::ranges::copy(checksum(std::span(raw).first(kIdBytes + kSecretBytes)),
                    raw.begin() + kIdBytes + kSecretBytes);
  std::string out(kPrefix);
  uint32_t bits = 0;
  int have = 0;
  for (std::byte b : raw) {
    bits = (bits << 8 | std::to_integer<uint32_t>(b)) & 0xffff;
    have += 8;
    while (have >= 5) out += kAlphabet[(bits >> (have -= 5)) & 31];
  }
  wipe(raw);
  return out;
}

Key Key::parse(std::string_view text) {
  const std::string_view prefix = text.substr(0, kPrefix.size());
  if (prefix != kPrefix && prefix != "ZK1_") not_a_key("it does not begin with zk1_");
  text.remove_prefix(kPrefix.size());
  if (text.size() != kTextChars) not_a_key("wrong length");
  Raw raw{};
  const Defer wiper([&] { wipe(raw); });
  uint32_t bits = 0;
  int have = 0;
  size_t at = 0;
  for (char c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    const size_t value = kAlphabet.find(c);
    if (value == std::string_view::npos) not_a_key("a character that no key has");
    bits = (bits << 5 | static_cast<uint32_t>(value)) & 0xfff;
    have += 5;
    if (have >= 8) raw[at++] = static_cast<std::byte>(bits >> (have -= 8));
  }
  const auto body = std::span(raw).first<kRawKeyBytes>();
  if (!std::ranges::equal(checksum(body), std::span(raw).last(kCheckBytes)))
    not_a_key("the checksum is wrong (a typing error?)");
  return from_bytes(body);
}

std::string Key::identity() const {
  return "zxfer/1 " + to_hex(id_);
}

std::array<std::byte, 32> Key::derive(std::string_view purpose, Role connector_role) const {
  std::string info = "zxfer/1 " + std::string(purpose) + " connector=" + role_name(connector_role);
  std::array<std::byte, 32> out{};
  char digest_name[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string("digest", digest_name, 0),
      OSSL_PARAM_construct_octet_string("key", const_cast<std::byte*>(secret_.data()),
                                        secret_.size()),
      OSSL_PARAM_construct_octet_string("info", info.data(), info.size()),
      OSSL_PARAM_construct_end(),
  };
  derive_bytes("HKDF", params, out);
  return out;
}

void derive_bytes(const char* function, const OSSL_PARAM* params, std::span<std::byte> out) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, function, nullptr), EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr, EVP_KDF_CTX_free);
  if (!context || EVP_KDF_derive(context.get(), uchar(out.data()), out.size(), params) != 1)
    throw Error(ExitStatus::Internal, std::string("OpenSSL cannot derive a key: ") + function);
}

// --- where keys come from

Key read_key_file(const std::string& path) {
  std::string text = read_regular_file(path, "key file", kMaxKeyFileBytes, Reader::OnlyUser);
  const Defer wiper([&] { wipe(text); });
  return parse_key_line(text, "key file " + quote(path) + ": ");
}

void write_key_file(const std::string& path, const Key& key) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) throw_file_errno("key file " + quote(path) + ": create", errno);
  std::string text = key.text() + "\n";
  int error = -pwrite_full(fd.get(), std::as_bytes(std::span(text)), 0);
  wipe(text);
  if (error == 0 && fsync(fd.get()) != 0 && !is_unsupported(errno)) error = errno;
  if (error == 0) error = fd.close();
  if (error != 0) {
    (void)unlink(path.c_str());  // the error that is reported is the first one
    throw_file_errno("key file " + quote(path) + ": write", error);
  }
}

std::string take_key_from_environment() {
  char* value = getenv(kKeyVariable);
  if (value == nullptr) return "";
  std::string text = value;
  OPENSSL_cleanse(value, text.size());  // unsetenv(3) only unlinks it: /proc/PID/environ keeps it
  unsetenv(kKeyVariable);
  return text;
}

Key parse_environment_key(const std::string& text) {
  return parse_key_line(text, std::string(kKeyVariable) + ": ");
}

std::optional<Key> ask_for_key(std::string_view program) {
  const UniqueFd tty(open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY));
  if (!tty.valid()) return std::nullopt;
  const QuietTerminal quiet(tty.get(), std::string(program) + ": key: ");
  std::string line(256, '\0');
  const Defer wiper([&] { wipe(line); });
  const ssize_t n = retry_eintr([&] { return read(tty.get(), line.data(), line.size()); });
  if (n <= 0) throw Error(ExitStatus::Auth, "no key was entered");
  return parse_key_line(std::string_view(line).substr(0, static_cast<size_t>(n)), "");
}

}  // namespace zx
