// SPDX-License-Identifier: MIT
#include "common/integrity/digest.h"

#include <xxhash.h>
// The plain functions of Debian's libxxhash are its SSE2 build. On x86 the library also has entry
// points that look at the CPU; this header puts them in place of the plain ones by macros of the
// same names. Measured on Zen 4, 256 KiB in cache: 18 GB/s without, 78 GB/s with. Same values.
#ifdef ZX_XXH_DISPATCH
#include <xxh_x86dispatch.h>
#endif

#include <algorithm>
#include <new>

#include "common/base/stop.h"

namespace zx {
namespace {

Digest canonical(XXH128_hash_t hash) {
  XXH128_canonical_t out;
  XXH128_canonicalFromHash(&out, hash);
  Digest digest{};
  std::ranges::copy(std::as_bytes(std::span(out.digest)), digest.begin());
  return digest;
}

void put_u64(std::span<std::byte> out, uint64_t value) {
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(value >> (56 - 8 * i));
}

}  // namespace

Digest digest_of(std::span<const std::byte> bytes) {
  return canonical(XXH3_128bits(bytes.data(), bytes.size()));
}

void Hasher::Free::operator()(XXH3_state_s* state) const {
  XXH3_freeState(state);
}

Hasher::Hasher() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  reset();
}

Hasher& Hasher::operator=(const Hasher& other) {
  XXH3_copyState(state_.get(), other.state_.get());
  return *this;
}

void Hasher::reset() {
  XXH3_128bits_reset(state_.get());
}

void Hasher::update(std::span<const std::byte> bytes) {
  XXH3_128bits_update(state_.get(), bytes.data(), bytes.size());
}

void Hasher::update_zeros(uint64_t count) {
  static const std::array<std::byte, 1 << 16> kZeros{};
  while (count > 0) {
    check_stop();  // a hole may be of any size
    const size_t n = static_cast<size_t>(std::min<uint64_t>(count, kZeros.size()));
    update(std::span(kZeros).first(n));
    count -= n;
  }
}

Digest Hasher::value() const {
  return canonical(XXH3_128bits_digest(state_.get()));
}

void DigestSum::add(const Digest& digest) {
  unsigned carry = 0;
  for (size_t i = sum_.size(); i-- > 0; carry >>= 8) {
    carry += std::to_integer<unsigned>(sum_[i]) + std::to_integer<unsigned>(digest[i]);
    sum_[i] = static_cast<std::byte>(carry);
  }
}

// The sum with the two's complement.
void DigestSum::remove(const Digest& digest) {
  Digest negative = digest;
  for (std::byte& byte : negative) byte = ~byte;
  add(negative);
  Digest one{};
  one.back() = std::byte{1};
  add(one);
}

Digest digest_of_part(uint64_t first, uint64_t second, const Digest& digest) {
  std::array<std::byte, 32> bytes{};
  put_u64(std::span(bytes).subspan(0), first);
  put_u64(std::span(bytes).subspan(8), second);
  std::ranges::copy(digest, bytes.begin() + 16);
  return digest_of(bytes);
}

}  // namespace zx
