// SPDX-License-Identifier: MIT
// Which TLS suite is used, and when the kernel's AES counts as slow.
#include "common/net/suite.h"

#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "common/net/ktls.h"

namespace zx {
namespace {

constexpr uint8_t k128 = kSuiteAes128Gcm, kChaCha = kSuiteChaCha20Poly1305, k256 = kSuiteAes256Gcm;

TEST_CASE("choose_suite: one that both sides take, in the order of preference") {
  struct {
    uint8_t offered, taken, result;
  } const rows[] = {
      {k128 | kChaCha | k256, k128 | kChaCha | k256, k128},
      {kChaCha | k256, k128 | kChaCha | k256, kChaCha},
      {k256, k128 | kChaCha | k256, k256},
      {k128 | kChaCha | k256, k256, k256},
      {k128 | kChaCha | k256, kChaCha, kChaCha},
      {k128, kChaCha, 0},
      {0, k128 | kChaCha | k256, 0},
      {0xf8, k128 | kChaCha | k256, 0},
  };
  for (const auto& row : rows) {
    INFO(int{row.offered} << " and " << int{row.taken});
    CHECK(choose_suite(row.offered, row.taken) == row.result);
  }
}

TEST_CASE("suite_of: exactly one known bit") {
  for (int bits = 0; bits < 256; ++bits) {
    const auto b = static_cast<uint8_t>(bits);
    INFO(bits);
    if (b == k128 || b == kChaCha || b == k256)
      CHECK(suite_of(b).bit == b);
    else
      CHECK_THROWS_AS(suite_of(b), Error);
  }
  CHECK(suite_of(k256).sha384);
  CHECK_FALSE(suite_of(kChaCha).aes_gcm);
}

std::string crypto_entry(const std::string& name, const std::string& driver, int priority) {
  return "name         : " + name + "\ndriver       : " + driver +
         "\nmodule       : kernel\npriority     : " + std::to_string(priority) +
         "\nrefcnt       : 1\n\n";
}

TEST_CASE("slow_gcm: the driver with the highest priority of gcm(aes) counts, and the CPU") {
  const std::string generic =
      crypto_entry("gcm(aes)", "gcm_base(ctr(aes-generic),ghash-generic)", 100);
  const std::string ghash = crypto_entry("gcm(aes)", "gcm_base(ctr-aes-aesni,ghash-generic)", 200);
  const std::string aesni = crypto_entry("gcm(aes)", "generic-gcm-aesni", 400);
  const std::string arm = crypto_entry("gcm(aes)", "gcm-aes-ce", 300);
  const std::string lib = crypto_entry("gcm(aes)", "gcm-aes-lib", 100);  // since 7.x
  const std::string other = crypto_entry("aes", "aes-generic", 900);
  const std::string plain_cpu = "model name\t: vaes\nflags\t\t: fpu sse2 vaes\n";
  const std::string aes_cpu = "flags\t\t: fpu aes sse2 pclmulqdq\nbugs\t: none\n";
  const std::string arm_cpu = "Features\t: fp asimd aes pmull sha1\n";
  const auto fast = [](const std::string& crypto, const std::string& cpu) {
    return slow_gcm(crypto, cpu).empty();
  };
  for (const std::string& cpu : {plain_cpu, aes_cpu, arm_cpu, std::string()}) {
    CHECK_FALSE(fast(generic, cpu));
    CHECK_FALSE(fast(other + generic, cpu));
    CHECK_FALSE(fast(ghash + generic, cpu));
    CHECK(fast(aesni, cpu));
    CHECK(fast(generic + aesni, cpu));
    CHECK(fast(aesni + generic, cpu));
    CHECK(fast(arm + other, cpu));
    CHECK(fast(other, cpu));
    CHECK(fast("", cpu));
    CHECK(fast(aesni + lib, cpu));
  }
  CHECK(fast(lib, aes_cpu));
  CHECK(fast(lib, arm_cpu));
  CHECK_FALSE(fast(lib, plain_cpu));
  CHECK_FALSE(fast(lib, ""));
  CHECK_FALSE(fast(lib, "flags : aes\n"));  // without the instruction for GHASH
  // What would help is named only where it would.
  CHECK_THAT(slow_gcm(generic, aes_cpu), Catch::Contains("module 'aesni_intel' is not loaded"));
  for (const std::string& cpu : {plain_cpu, arm_cpu})
    CHECK_THAT(slow_gcm(generic, cpu),
               Catch::Contains("generic C code") && !Catch::Contains("module"));
}

TEST_CASE("ktls_obstacle: off is a reason of its own") {
  CHECK(ktls_obstacle(suite_of(k128), Ktls::Off) == "--ktls=off");
}

}  // namespace
}  // namespace zx
