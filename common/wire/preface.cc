// SPDX-License-Identifier: MIT
#include "common/wire/preface.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/wire/codec.h"

namespace zx {
namespace {

// A byte over 127 (not text), CR LF (mangled by text transfers), ^Z (ends a listing): as in PNG.
constexpr std::array<uint8_t, 8> kMagic{0x89, 'Z', 'X', 'F', 'R', '\r', '\n', 0x1a};

}  // namespace

const char* role_name(Role role) {
  return role == Role::Sender ? "sender" : "receiver";
}

PrefaceBytes encode_preface(Preface preface) {
  Encoder e;
  e.raw(std::as_bytes(std::span(kMagic)));
  preface.fields(e);
  PrefaceBytes out{};
  std::ranges::copy(e.so_far(), out.begin());
  return out;
}

Preface decode_preface(std::span<const std::byte, kPrefaceBytes> bytes) {
  const auto magic = std::as_bytes(std::span(kMagic));
  if (!std::ranges::equal(bytes.first(magic.size()), magic))
    throw Error(ExitStatus::Protocol, "the peer is not a zsend or zrecv (wrong magic)");
  Decoder d(bytes.subspan(magic.size()), "preface");
  Preface preface;
  preface.fields(d);
  d.finish();
  return preface;
}

}  // namespace zx
