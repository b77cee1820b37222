// SPDX-License-Identifier: MIT
#include "common/integrity/digest.h"

#include <xxhash.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "common/base/quote.h"

namespace zx {
namespace {

using Buffer = std::vector<std::byte>;

// A pattern without a short period.
Buffer pattern(size_t size) {
  Buffer out(size);
  for (size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>((i * 7 + i / 256) & 255);
  return out;
}

Digest counting(int first) {
  Digest out{};
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(first + static_cast<int>(i));
  return out;
}

Digest from_number(uint64_t high, uint64_t low) {
  Digest out{};
  for (size_t i = 0; i < 8; ++i) {
    out[i] = static_cast<std::byte>(high >> (56 - 8 * i));
    out[8 + i] = static_cast<std::byte>(low >> (56 - 8 * i));
  }
  return out;
}

std::string hex(const Digest& digest) {
  return to_hex(digest);
}

TEST_CASE("to_hex: two lower-case digits a byte") {
  CHECK(to_hex({}).empty());
  const std::byte bytes[] = {std::byte{0}, std::byte{0x0f}, std::byte{0xa0}, std::byte{0xff}};
  CHECK(to_hex(bytes) == "000fa0ff");
}

TEST_CASE("digest: known values of XXH3-128 as xxhsum prints them") {
  CHECK(hex(digest_of({})) == "99aa06d3014798d86001c324468d497f");
  const std::byte abc[] = {std::byte{'a'}, std::byte{'b'}, std::byte{'c'}};
  CHECK(hex(digest_of(abc)) == "06b05ab6733a618578af5f94892f3950");
  CHECK(hex(digest_of(pattern(256))) == "2f433606b2ebce2dff5a1cefade75bb9");
  CHECK(hex(digest_of(pattern(300000))) == "8bcca010c0ebe55ff231384f525dae9f");
}

TEST_CASE("digest: what the CPU chose agrees with the library's plain functions") {
  const Buffer data = pattern((256 << 10) + 77);
  for (size_t size : {0, 1, 16, 17, 128, 129, 240, 241, 1024, 4096, 65537, (256 << 10) + 77}) {
    INFO(size);
    const auto part = std::span(data).first(size);
    XXH128_canonical_t expected;
    XXH128_canonicalFromHash(&expected, XXH3_128bits(part.data(), part.size()));
    const std::string text = to_hex(std::as_bytes(std::span(expected.digest)));
    CHECK(hex(digest_of(part)) == text);
    Hasher hasher;
    hasher.update(part);
    CHECK(hex(hasher.value()) == text);
  }
}

TEST_CASE("Hasher: pieces of any size give the digest of the whole") {
  const Buffer data = pattern(300000);
  for (size_t piece : {size_t{1}, size_t{63}, size_t{64}, size_t{255}, size_t{256}, size_t{257},
                       size_t{4096}, size_t{65536}, size_t{299999}, size_t{300000}}) {
    Hasher hasher;
    for (size_t at = 0; at < data.size(); at += piece)
      hasher.update(std::span(data).subspan(at, std::min(piece, data.size() - at)));
    INFO(piece);
    CHECK(hex(hasher.value()) == hex(digest_of(data)));
  }
}

TEST_CASE("Hasher: value does not end the stream and reset begins another") {
  const Buffer data = pattern(1000);
  Hasher hasher;
  CHECK(hex(hasher.value()) == hex(digest_of({})));
  hasher.update(std::span(data).first(400));
  CHECK(hex(hasher.value()) == hex(digest_of(std::span(data).first(400))));
  hasher.update(std::span(data).subspan(400));
  CHECK(hex(hasher.value()) == hex(digest_of(data)));
  hasher.reset();
  CHECK(hex(hasher.value()) == hex(digest_of({})));
  hasher.update(data);
  CHECK(hex(hasher.value()) == hex(digest_of(data)));
}

TEST_CASE("Hasher: a move keeps what was fed") {
  const Buffer data = pattern(1000);
  Hasher first;
  first.update(std::span(data).first(500));
  Hasher second(std::move(first));
  second.update(std::span(data).subspan(500));
  CHECK(hex(second.value()) == hex(digest_of(data)));
}

TEST_CASE("Hasher: update_zeros is what as many zero bytes are") {
  for (size_t count : {size_t{0}, size_t{1}, size_t{65535}, size_t{65536}, size_t{65537},
                       size_t{100000}, size_t{200000}}) {
    Hasher hasher;
    hasher.update_zeros(count);
    INFO(count);
    CHECK(hex(hasher.value()) == hex(digest_of(Buffer(count))));
  }
  Hasher hasher;
  hasher.update_zeros(100000);
  CHECK(hex(hasher.value()) == "e1f876364c6fec62315c72a64b7df4d2");
}

TEST_CASE("Hasher: zeros between data count at their place") {
  const Buffer data = pattern(100);
  Buffer whole = data;
  whole.resize(100 + 70000);
  whole.insert(whole.end(), data.begin(), data.end());
  Hasher hasher;
  hasher.update(data);
  hasher.update_zeros(70000);
  hasher.update(data);
  CHECK(hex(hasher.value()) == hex(digest_of(whole)));
}

TEST_CASE("DigestSum: the order of the parts does not matter") {
  const Digest parts[] = {digest_of(pattern(1)), digest_of(pattern(2)), digest_of(pattern(3))};
  DigestSum forward, backward;
  for (int i : {0, 1, 2}) forward.add(parts[i]);
  for (int i : {2, 0, 1}) backward.add(parts[i]);
  CHECK(hex(forward.value()) == hex(backward.value()));
  CHECK(hex(forward.value()) != hex(DigestSum().value()));
}

TEST_CASE("DigestSum: it is the sum modulo 2 to the 128 of big-endian numbers") {
  DigestSum sum;
  CHECK(hex(sum.value()) == "00000000000000000000000000000000");
  sum.add(from_number(0, UINT64_MAX));
  sum.add(from_number(0, 1));  // carries into the high half
  CHECK(hex(sum.value()) == "00000000000000010000000000000000");
  sum.add(from_number(UINT64_MAX, 5));  // and out of it
  CHECK(hex(sum.value()) == "00000000000000000000000000000005");
}

TEST_CASE("DigestSum: the same part twice does not cancel out") {
  const Digest a = digest_of(pattern(1));
  DigestSum once, twice;
  once.add(a);
  twice.add(a);
  twice.add(a);
  CHECK(hex(twice.value()) != hex(once.value()));
  CHECK(hex(twice.value()) != hex(DigestSum().value()));
}

TEST_CASE("block_part and entry_part: known values") {
  CHECK(hex(block_part(uint64_t{1} << 33, 8388608, counting(0x10))) ==
        "e94cbf97f76c311bcced233f163cf132");
  CHECK(hex(entry_part(3, 12345, counting(0x10))) == "5d0727c5f7794aee3855350eb543d609");
}

TEST_CASE("block_part: place and length and content all count") {
  const Digest d = counting(1), e = counting(2);
  CHECK(hex(block_part(0, 100, d)) != hex(block_part(100, 100, d)));
  CHECK(hex(block_part(0, 100, d)) != hex(block_part(0, 101, d)));
  CHECK(hex(block_part(0, 100, d)) != hex(block_part(0, 100, e)));
  CHECK(hex(block_part(100, 0, d)) != hex(block_part(0, 100, d)));
}

}  // namespace
}  // namespace zx
