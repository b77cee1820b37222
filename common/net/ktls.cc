// SPDX-License-Identifier: MIT
#include "common/net/ktls.h"

#include <fcntl.h>
#include <linux/tls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <mutex>
#include <sstream>

#include "common/base/error.h"
#include "common/net/key.h"

namespace zx {
namespace {

// --- keys

// HKDF-Expand-Label(secret, label, "", out.size()) of RFC 8446, 7.1.
void expand_label(bool sha384, std::span<const std::byte> secret, std::string label,
                  std::span<std::byte> out) {
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
  derive_bytes("TLS13-KDF", params, out);
}

// What the kernel is told of one direction: the struct tls12_crypto_info_* of a suite, which has
// version, suite, IV, key, salt and record number (0) in this order. Wiped when destroyed.
struct Direction {
  static constexpr size_t kIv = sizeof(tls_crypto_info), kNonceBytes = 12;
  std::array<std::byte, sizeof(tls12_crypto_info_aes_gcm_256)> info{};
  size_t key_at, key_bytes;
  socklen_t bytes;

  Direction(const Suite& suite, std::span<const std::byte> secret) : key_bytes(suite.key_bytes) {
    std::array<std::byte, kNonceBytes> nonce{};
    // The nonce of AES-GCM is cut in two: the kernel keeps the names of TLS 1.2.
    const size_t salt_bytes = suite.aes_gcm ? TLS_CIPHER_AES_GCM_128_SALT_SIZE : 0;
    key_at = kIv + kNonceBytes - salt_bytes;
    bytes = static_cast<socklen_t>(key_at + key_bytes + salt_bytes +
                                   TLS_CIPHER_AES_GCM_128_REC_SEQ_SIZE);
    const uint16_t cipher = suite.bit == kSuiteAes128Gcm   ? TLS_CIPHER_AES_GCM_128
                            : suite.bit == kSuiteAes256Gcm ? TLS_CIPHER_AES_GCM_256
                                                           : TLS_CIPHER_CHACHA20_POLY1305;
    const tls_crypto_info head{TLS_1_3_VERSION, cipher};
    std::memcpy(info.data(), &head, sizeof head);
    expand_label(suite.sha384, secret, "key", std::span(info).subspan(key_at, key_bytes));
    expand_label(suite.sha384, secret, "iv", nonce);
    std::copy(nonce.begin() + salt_bytes, nonce.end(), info.begin() + kIv);
    std::copy_n(nonce.begin(), salt_bytes, info.begin() + key_at + key_bytes);
    wipe(nonce);
  }
  ~Direction() { wipe(info); }
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;
};
static_assert(sizeof(tls12_crypto_info_aes_gcm_128) == 40);
static_assert(sizeof(tls12_crypto_info_aes_gcm_256) == 56);
static_assert(sizeof(tls12_crypto_info_chacha20_poly1305) == 56);

// Sets one direction and reads it back. "" when it is in force, else why not.
std::string set_direction(int fd, int option, const Direction& direction) {
  const std::string name = option == TLS_TX ? "TLS_TX" : "TLS_RX";
  if (setsockopt(fd, kSolTls, option, direction.info.data(), direction.bytes) != 0) {
    if (errno == EINVAL || errno == ENOENT)
      return "the kernel does not have this cipher (" + name + ": " + errno_text(errno) + ")";
    return name + ": " + errno_text(errno);
  }
  std::array<std::byte, sizeof direction.info> in_force{};
  socklen_t size = direction.bytes;
  const bool told = getsockopt(fd, kSolTls, option, in_force.data(), &size) == 0;
  const bool same =
      told && size == direction.bytes &&
      CRYPTO_memcmp(in_force.data(), direction.info.data(), sizeof(tls_crypto_info)) == 0 &&
      CRYPTO_memcmp(in_force.data() + direction.key_at, direction.info.data() + direction.key_at,
                    direction.key_bytes) == 0;
  wipe(in_force);
  return same ? "" : name + " was accepted but is not in force";
}

// "" when the protocol layer is on.
std::string set_tls_layer(int fd) {
  if (setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof "tls") == 0 || errno == EEXIST) return "";
  // Only root's request makes the kernel load a module (capable(CAP_NET_ADMIN) in tcp_ulp.c).
  if (errno == ENOENT) return "the kernel has no TLS (module 'tls' is not loaded)";
  return "TCP_ULP: " + errno_text(errno);
}

// --- the trial

struct Trial {
  std::string obstacle = {};  // "": it can do this suite
  std::string slow = {};      // why it is slow at it, "" when it is not
  bool splice_skips = false;
};

// A record of two bytes, of which recvmsg(2) takes the first: whether splice(2) then finds the
// second. Kernels before 5.16 look only for a next record (tls_sw_splice_read() before upstream
// e062fe99cccd).
bool loses_second_byte(Socket& from, Socket& to) {
  std::array<std::byte, 2> both{};
  from.send_all(both, More::No);
  iovec first{both.data(), 1};
  msghdr message{};
  message.msg_iov = &first;
  message.msg_iovlen = 1;
  if (to.receive(&message, 0) != 1) to.fail("receive", errno);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;  // without a pipe there is no splice either
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  return splice(to.fd(), nullptr, write_end.get(), nullptr, 1, SPLICE_F_NONBLOCK) < 0 &&
         errno == EAGAIN;
}

std::string text_of(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

Trial try_suite(const Suite& suite) try {
  constexpr std::chrono::seconds kLimit{1};  // a firewall may drop even this
  const auto end = Clock::now() + kLimit;
  Listener listener({"127.0.0.1", 0}, Family::V4);
  Socket one =
      connect_to({"127.0.0.1", listener.port()}, Family::V4, std::chrono::seconds(0), kLimit, end);
  std::optional<Socket> other = listener.accept(end, kLimit);
  if (!other) return {.obstacle = "no loopback connection to try it on"};
  const std::array<std::byte, 48> secret{};
  const Direction any(suite, std::span(secret).first(suite.sha384 ? 48 : 32));
  for (const int fd : {one.fd(), other->fd()}) {
    std::string obstacle = set_tls_layer(fd);
    if (obstacle.empty()) obstacle = set_direction(fd, TLS_RX, any);
    if (obstacle.empty()) obstacle = set_direction(fd, TLS_TX, any);
    if (!obstacle.empty()) return {.obstacle = obstacle};
  }
  // Now that it is in use it is listed.
  return {.slow = suite.aes_gcm ? slow_gcm(text_of("/proc/crypto"), text_of("/proc/cpuinfo")) : "",
          .splice_skips = loses_second_byte(one, *other)};
} catch (const Error& error) {
  return {.obstacle = std::string("the trial on a loopback connection: ") + error.what()};
}

// Once for each suite and run.
const Trial& trial_of(const Suite& suite) {
  static std::mutex mutex;
  static std::map<uint8_t, Trial> trials;
  const std::lock_guard lock(mutex);
  if (!trials.contains(suite.bit)) trials[suite.bit] = try_suite(suite);
  return trials[suite.bit];
}

// Whether one of the lines of /proc/cpuinfo has this word: CPUs differ in no more than their order.
bool has_word(std::string_view text, const std::string& word) {
  std::istringstream words{std::string(text)};
  return std::find(std::istream_iterator<std::string>(words), {}, word) !=
         std::istream_iterator<std::string>();
}

}  // namespace

TrafficSecrets::~TrafficSecrets() {
  wipe(client);
  wipe(server);
}

std::string slow_gcm(std::string_view proc_crypto, std::string_view cpuinfo) {
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
  // The flags of x86 and of ARM. Since 7.x there is one driver with and without the instructions.
  const bool instructions =
      has_word(cpuinfo, "aes") && (has_word(cpuinfo, "pclmulqdq") || has_word(cpuinfo, "pmull"));
  if (best.ends_with("-lib") ? instructions
                             : best.find("aes-generic") == std::string::npos &&
                                   best.find("ghash-generic") == std::string::npos)
    return "";
  const std::string missing =
      has_word(cpuinfo, "pclmulqdq") && instructions ? ": module 'aesni_intel' is not loaded" : "";
  return "the kernel's AES is the generic C code" + missing + " (--ktls=on uses it all the same)";
}

std::string ktls_obstacle(const Suite& suite, Ktls asked) {
  if (asked == Ktls::Off) return "--ktls=off";
  const Trial& trial = trial_of(suite);
  return trial.obstacle.empty() && asked == Ktls::Auto ? trial.slow : trial.obstacle;
}

bool ktls_splice_skips(const Suite& suite) {
  return trial_of(suite).splice_skips;
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
