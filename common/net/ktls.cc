// SPDX-License-Identifier: MIT
#include "common/net/ktls.h"

#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <variant>

#include "common/base/error.h"
#include "common/net/key.h"

namespace zx {
namespace {

constexpr int kSolTls = 282;  // SOL_TLS; Debian 12's libc headers do not have it

template <typename T>
std::span<std::byte> bytes_of(T& object) {
  return std::as_writable_bytes(std::span(&object, 1));
}

// --- keys

// HKDF-Expand-Label(secret, label, "", out.size()) of RFC 8446, 7.1.
void expand_label(bool sha384, std::span<const std::byte> secret, std::string label,
                  std::span<std::byte> out) {
  const std::unique_ptr<EVP_KDF, decltype(&EVP_KDF_free)> kdf(
      EVP_KDF_fetch(nullptr, "TLS13-KDF", nullptr), EVP_KDF_free);
  const std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)> context(
      kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr, EVP_KDF_CTX_free);
  std::string hash = sha384 ? "SHA384" : "SHA256", prefix = "tls13 ";
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_int("mode", &mode),
      OSSL_PARAM_construct_utf8_string("digest", hash.data(), 0),
      OSSL_PARAM_construct_octet_string("key", const_cast<std::byte*>(secret.data()),
                                        secret.size()),
      OSSL_PARAM_construct_octet_string("prefix", prefix.data(), prefix.size()),
      OSSL_PARAM_construct_octet_string("label", label.data(), label.size()),
      OSSL_PARAM_construct_end(),
  };
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  if (!context || EVP_KDF_derive(context.get(), to, out.size(), params) != 1)
    throw Error(ExitStatus::Internal, "OpenSSL cannot derive a key (TLS13-KDF)");
}

// What the kernel is told of one direction. Wiped when destroyed.
struct Direction {
  std::variant<tls12_crypto_info_aes_gcm_128, tls12_crypto_info_aes_gcm_256,
               tls12_crypto_info_chacha20_poly1305>
      info;

  Direction(const Suite& suite, std::span<const std::byte> secret) {
    std::array<std::byte, 12> nonce{};
    std::array<std::byte, 32> key{};
    expand_label(suite.sha384, secret, "iv", nonce);
    expand_label(suite.sha384, secret, "key", std::span(key).first(suite.key_bytes));
    // The nonce of AES-GCM is cut in two: the kernel keeps the names of TLS 1.2.
    const auto fill = [&](auto info_of_type, uint16_t type, size_t salt_bytes) {
      info_of_type.info.version = TLS_1_3_VERSION;
      info_of_type.info.cipher_type = type;
      if (salt_bytes > 0) std::memcpy(info_of_type.salt, nonce.data(), salt_bytes);
      std::memcpy(info_of_type.iv, nonce.data() + salt_bytes, sizeof info_of_type.iv);
      std::memcpy(info_of_type.key, key.data(), sizeof info_of_type.key);
      info = info_of_type;  // rec_seq stays 0
      wipe(bytes_of(info_of_type));
    };
    switch (suite.bit) {
      case kSuiteAes128Gcm:
        fill(tls12_crypto_info_aes_gcm_128{}, TLS_CIPHER_AES_GCM_128,
             TLS_CIPHER_AES_GCM_128_SALT_SIZE);
        break;
      case kSuiteAes256Gcm:
        fill(tls12_crypto_info_aes_gcm_256{}, TLS_CIPHER_AES_GCM_256,
             TLS_CIPHER_AES_GCM_256_SALT_SIZE);
        break;
      case kSuiteChaCha20Poly1305:
        fill(tls12_crypto_info_chacha20_poly1305{}, TLS_CIPHER_CHACHA20_POLY1305, 0);
        break;
    }
    wipe(nonce);
    wipe(key);
  }
  ~Direction() { wipe(bytes_of(info)); }
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;
};

// Sets one direction and reads it back. "" when it is in force, else why not.
std::string set_direction(int fd, int option, const Direction& direction) {
  const char* name = option == TLS_TX ? "TLS_TX" : "TLS_RX";
  return std::visit(
      [&](const auto& info) -> std::string {
        if (setsockopt(fd, kSolTls, option, &info, sizeof info) != 0) {
          if (errno == EINVAL || errno == ENOENT)
            return "the kernel does not have this cipher (" + std::string(name) + ": " +
                   errno_text(errno) + ")";
          return std::string(name) + ": " + errno_text(errno);
        }
        auto in_force = info;
        std::memset(&in_force, 0, sizeof in_force);
        socklen_t size = sizeof in_force;
        const bool same = getsockopt(fd, kSolTls, option, &in_force, &size) == 0 &&
                          size == sizeof in_force && in_force.info.version == info.info.version &&
                          in_force.info.cipher_type == info.info.cipher_type &&
                          CRYPTO_memcmp(in_force.key, info.key, sizeof info.key) == 0;
        wipe(bytes_of(in_force));
        return same ? "" : std::string(name) + " was accepted but is not in force";
      },
      direction.info);
}

// "" when the protocol layer is on.
std::string set_tls_layer(int fd) {
  if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 || errno == EEXIST) return "";
  // Only root's request makes the kernel load a module (capable(CAP_NET_ADMIN) in tcp_ulp.c).
  if (errno == ENOENT) return "the kernel has no TLS (module 'tls' is not loaded)";
  return "TCP_ULP: " + errno_text(errno);
}

// --- the trial

// A connection to ourselves that nobody reads: enough for the socket options. It is reset when the
// listener goes.
struct LoopbackConnection {
  UniqueFd listener{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  UniqueFd socket_fd{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};

  bool open() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* a = reinterpret_cast<sockaddr*>(&address);
    const timeval limit{1, 0};  // connect(2) keeps to it: a firewall may drop even this
    (void)setsockopt(socket_fd.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    return listener.valid() && socket_fd.valid() && bind(listener.get(), a, size) == 0 &&
           listen(listener.get(), 1) == 0 && getsockname(listener.get(), a, &size) == 0 &&
           connect(socket_fd.get(), a, size) == 0;
  }
};

struct Trial {
  std::string obstacle;
  bool generic_aes = false;
};

Trial try_suite(const Suite& suite) {
  LoopbackConnection trial;
  if (!trial.open()) return {"no loopback connection to try it on: " + errno_text(errno), false};
  const int fd = trial.socket_fd.get();
  const std::array<std::byte, 48> secret{};
  const Direction any(suite, std::span(secret).first(suite.sha384 ? 48 : 32));
  std::string obstacle = set_tls_layer(fd);
  if (obstacle.empty()) obstacle = set_direction(fd, TLS_RX, any);
  if (obstacle.empty()) obstacle = set_direction(fd, TLS_TX, any);
  if (!obstacle.empty() || !suite.aes_gcm) return {obstacle, false};
  std::ostringstream crypto;  // now that it is in use it is listed
  crypto << std::ifstream("/proc/crypto").rdbuf();
  return {"", generic_gcm(crypto.str())};
}

}  // namespace

TrafficSecrets::~TrafficSecrets() {
  wipe(client);
  wipe(server);
}

bool generic_gcm(std::string_view proc_crypto) {
  std::istringstream lines{std::string(proc_crypto)};
  std::string line, name, driver, best;
  int best_priority = -1;
  const auto value = [&] {
    const size_t colon = line.find(": ");
    return colon == std::string::npos ? std::string() : line.substr(colon + 2);
  };
  while (std::getline(lines, line)) {
    if (line.starts_with("name")) name = value();
    if (line.starts_with("driver")) driver = value();
    if (!line.starts_with("priority") || name != "gcm(aes)") continue;
    const int priority = std::atoi(value().c_str());
    if (priority > best_priority) {
      best_priority = priority;
      best = driver;
    }
  }
  return best.find("aes-generic") != std::string::npos ||
         best.find("ghash-generic") != std::string::npos;
}

std::string ktls_obstacle(const Suite& suite, Ktls asked) {
  if (asked == Ktls::Off) return "--ktls=off";
  static std::mutex mutex;
  static std::map<uint8_t, Trial> trials;
  const std::lock_guard lock(mutex);
  const auto [at, first] = trials.try_emplace(suite.bit);
  if (first) at->second = try_suite(suite);
  const Trial& trial = at->second;
  if (trial.obstacle.empty() && trial.generic_aes && asked == Ktls::Auto)
    return "the kernel's AES is the generic C code (--ktls=on uses it all the same)";
  return trial.obstacle;
}

std::string install_ktls(int fd, const Suite& suite, const TrafficSecrets& secrets,
                         bool is_client) {
  const auto client = std::span(secrets.client).first(secrets.client_bytes);
  const auto server = std::span(secrets.server).first(secrets.server_bytes);
  const size_t hash_bytes = suite.sha384 ? 48 : 32;
  if (client.size() != hash_bytes || server.size() != hash_bytes)
    return "OpenSSL has not told the traffic secrets";
  const Direction tx(suite, is_client ? client : server), rx(suite, is_client ? server : client);
  if (std::string why = set_tls_layer(fd); !why.empty()) return why;
  // Receiving first: as long as it has not succeeded nothing on the connection has changed, the
  // layer without keys passes everything through.
  if (std::string why = set_direction(fd, TLS_RX, rx); !why.empty()) return why;
  if (const std::string why = set_direction(fd, TLS_TX, tx); !why.empty())
    throw KernelTlsError("it took only the receiving direction: " + why);
  return "";
}

}  // namespace zx
