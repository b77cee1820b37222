// SPDX-License-Identifier: MIT
#include "common/net/suite.h"

#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string_view>
#include <vector>

#include "common/base/error.h"

namespace zx {
namespace {

// In the order of preference. AES-256 is for those who ask for it: its 14 rounds against 10 buy
// nothing that an attacker of today could use.
constexpr Suite kSuites[] = {
    {kSuiteAes128Gcm, "aes128", "TLS_AES_128_GCM_SHA256", 0x01, false, true, 16},
    {kSuiteChaCha20Poly1305, "chacha20", "TLS_CHACHA20_POLY1305_SHA256", 0x03, false, false, 32},
    {kSuiteAes256Gcm, "aes256", "TLS_AES_256_GCM_SHA384", 0x02, true, true, 32},
};

// A self-test of about 1 ms against ChaCha20-Poly1305, in user space, because CPU flags say neither
// what OpenSSL uses of them nor anything on other architectures.
bool aes_is_fast() {
  static const bool fast = [] {
    using Clock = std::chrono::steady_clock;
    const auto time_of = [](const EVP_CIPHER* cipher) {
      constexpr int kRecord = 16 << 10, kRounds = 8;
      std::vector<unsigned char> in(kRecord), out(kRecord + 64);
      unsigned char key[32] = {}, iv[12] = {};
      const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(
          EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free);
      auto best = Clock::duration::max();
      for (int i = 0; i < kRounds; ++i) {
        int n = 0;
        const auto start = Clock::now();
        EVP_EncryptInit_ex(context.get(), cipher, nullptr, key, iv);
        EVP_EncryptUpdate(context.get(), out.data(), &n, in.data(), kRecord);
        best = std::min(best, Clock::now() - start);  // the minimum: noise only ever adds
      }
      return best;
    };
    // With AES instructions the two are near each other and AES is what kernels accelerate too;
    // without, AES is several times slower and not constant-time.
    return time_of(EVP_aes_128_gcm()) < 2 * time_of(EVP_chacha20_poly1305());
  }();
  return fast;
}

}  // namespace

const Suite& suite_of(uint8_t bit) {
  for (const Suite& suite : kSuites)
    if (suite.bit == bit) return suite;
  throw Error(ExitStatus::Internal, "no TLS suite has this bit");
}

std::optional<uint8_t> suite_bit(const char* word) {
  for (const Suite& suite : kSuites)
    if (std::string_view(suite.word) == word) return suite.bit;
  return std::nullopt;
}

uint8_t suites_fast_here() {
  uint8_t out = 0;
  for (const Suite& suite : kSuites)
    if (!suite.aes_gcm || aes_is_fast()) out |= suite.bit;
  return out;
}

uint8_t choose_suite(uint8_t offered_by_connector, uint8_t taken_here) {
  for (const Suite& suite : kSuites)
    if ((offered_by_connector & taken_here & suite.bit) != 0) return suite.bit;
  return 0;
}

}  // namespace zx
