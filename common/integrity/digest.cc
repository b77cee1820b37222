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

XXH128_hash_t from_canonical(const Digest& digest) {
  XXH128_canonical_t in;
  std::ranges::transform(digest, in.digest,
                         [](std::byte b) { return std::to_integer<uint8_t>(b); });
  return XXH128_hashFromCanonical(&in);
}

void put_u64(std::span<std::byte> out, uint64_t value) {
  for (size_t i = 0; i < 8; ++i) out[i] = static_cast<std::byte>(value >> (56 - 8 * i));
}

Digest digest_of_part(uint64_t first, uint64_t second, const Digest& digest) {
  std::array<std::byte, 32> bytes{};
  put_u64(std::span(bytes).subspan(0), first);
  put_u64(std::span(bytes).subspan(8), second);
  std::ranges::copy(digest, bytes.begin() + 16);
  return digest_of(bytes);
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
Hasher::~Hasher() = default;
Hasher::Hasher(const Hasher& other) : Hasher() {
  *this = other;
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
  const XXH128_hash_t h = from_canonical(digest);
  const bool carry = __builtin_add_overflow(low_, h.low64, &low_);
  high_ += h.high64 + (carry ? 1 : 0);
}

void DigestSum::subtract(const Digest& digest) {
  const XXH128_hash_t h = from_canonical(digest);
  const bool borrow = __builtin_sub_overflow(low_, h.low64, &low_);
  high_ -= h.high64 + (borrow ? 1 : 0);
}

Digest DigestSum::value() const {
  return canonical(XXH128_hash_t{low_, high_});
}

Digest block_part(uint64_t offset, uint64_t length, const Digest& digest) {
  return digest_of_part(offset, length, digest);
}

Digest entry_part(uint64_t entry, uint64_t size, const Digest& block_sum) {
  return digest_of_part(entry, size, block_sum);
}

}  // namespace zx
