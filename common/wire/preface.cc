// SPDX-License-Identifier: MIT
#include "common/wire/preface.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/wire/codec.h"

namespace zx {
namespace {

// A byte over 127 (not text), CR LF (mangled by text transfers), ^Z (ends a listing): as in PNG.
constexpr std::array<uint8_t, 8> kMagic{0x89, 'Z', 'X', 'F', 'R', '\r', '\n', 0x1a};
constexpr uint8_t kFlagNoAuth = 1, kFlagJoin = 2;

}  // namespace

const char* role_name(Role role) {
  return role == Role::Sender ? "sender" : "receiver";
}

PrefaceBytes encode_preface(const Preface& p) {
  Encoder e;
  e.raw(std::as_bytes(std::span(kMagic)))
      .u8(p.lowest_version)
      .u8(p.highest_version)
      .u8(static_cast<uint8_t>(p.mode))
      .u8(static_cast<uint8_t>(p.role))
      .u8(static_cast<uint8_t>((p.no_auth ? kFlagNoAuth : 0) | (p.join ? kFlagJoin : 0)))
      .u8(p.suites)
      .u8(static_cast<uint8_t>(p.code))
      .u8(0)
      .raw(p.random);
  PrefaceBytes out{};
  std::copy(e.bytes().begin(), e.bytes().end(), out.begin());
  return out;
}

Preface decode_preface(std::span<const std::byte, kPrefaceBytes> bytes) {
  Decoder d(bytes, "preface");
  if (!std::ranges::equal(d.array<8>("magic"), std::as_bytes(std::span(kMagic))))
    throw Error(ExitStatus::Protocol, "the peer is not a zsend or zrecv (wrong magic)");
  Preface p;
  p.lowest_version = d.u8("lowest version");
  p.highest_version = d.u8("highest version");
  if (p.lowest_version == 0 || p.lowest_version > p.highest_version)
    d.fail("version", "empty range");
  const uint8_t mode = d.u8("mode");
  if (mode < 1 || mode > 3) d.fail("mode", "unknown");
  p.mode = static_cast<Mode>(mode);
  const uint8_t role = d.u8("role");
  if (role < 1 || role > 2) d.fail("role", "unknown");
  p.role = static_cast<Role>(role);
  const uint8_t flags = d.u8("flags");
  if ((flags & ~(kFlagNoAuth | kFlagJoin)) != 0) d.fail("flags", "unknown bit");
  p.no_auth = (flags & kFlagNoAuth) != 0;
  p.join = (flags & kFlagJoin) != 0;
  p.suites = d.u8("suites");
  const uint8_t code = d.u8("code");
  if (code > static_cast<uint8_t>(PrefaceCode::Busy)) d.fail("code", "unknown");
  p.code = static_cast<PrefaceCode>(code);
  if (d.u8("reserved") != 0) d.fail("reserved", "not zero");
  p.random = d.array<8>("random");
  d.finish();
  return p;
}

}  // namespace zx
