// SPDX-License-Identifier: MIT
// XXH3-128, the only hash of file content here. It finds accidents (RAM, disk, kernel, cable), not
// attackers: anyone can make two inputs with one value. Protection against attackers is TLS.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct XXH3_state_s;

namespace zx {

/// Canonical (big-endian) XXH3-128: the bytes that `xxhsum -H2` prints.
using Digest = std::array<std::byte, 16>;

Digest digest_of(std::span<const std::byte> bytes);

/// Streaming digest. reset() starts the next one; the 576-byte state is allocated once.
class Hasher {
 public:
  Hasher();
  Hasher(const Hasher& other) : Hasher() { *this = other; }
  Hasher& operator=(const Hasher& other);
  void reset();
  void update(std::span<const std::byte> bytes);
  /// Feeds `count` zero bytes: what a hole reads as.
  void update_zeros(uint64_t count);
  Digest value() const;

 private:
  struct Free {
    void operator()(XXH3_state_s* state) const;
  };
  std::unique_ptr<XXH3_state_s, Free> state_;
};

/// A digest over a set of parts that does not depend on the order in which they are added: the sum
/// modulo 2^128 of their digests. Blocks may so arrive in any order, over any stream.
class DigestSum {
 public:
  void add(const Digest& digest);
  /// Takes a part out again.
  void remove(const Digest& digest);
  Digest value() const { return sum_; }

 private:
  Digest sum_{};
};

/// XXH3-128 of two numbers (u64 each) and a digest.
Digest digest_of_part(uint64_t first, uint64_t second, const Digest& digest);
/// What one block adds to the sum of its entry.
inline Digest block_part(uint64_t offset, uint64_t length, const Digest& digest) {
  return digest_of_part(offset, length, digest);
}
/// What one entry adds to the root, with the sum of its blocks.
inline Digest entry_part(uint64_t entry, uint64_t size, const Digest& block_sum) {
  return digest_of_part(entry, size, block_sum);
}

}  // namespace zx
