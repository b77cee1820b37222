// SPDX-License-Identifier: MIT
// The frame header: 32 bytes before every payload: the fields of FrameHeader and, in the last 8,
// the XXH3-64 of the others. No sockets here (session/link.h sends them).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/wire/limits.h"

namespace zx {

enum class FrameType : uint16_t {
  // both ways, first
  Hello = 0x8001,
  Welcome = 0x8002,
  Join = 0x8003,     // instead of them on every later connection of a session
  Streams = 0x8005,  // how many connections will carry blocks, and: ready for them
  // sender to receiver
  Entry = 0x8010,
  Data = 0x8011,
  DataDigest = 0x8012,
  Hole = 0x8013,
  End = 0x8014,
  Fin = 0x8018,
  Bye = 0x8019,
  // receiver to sender
  Ack = 0x8020,
  Retry = 0x8021,
  Results = 0x8022,
  Verdict = 0x8023,
  Deleted = 0x8025,
  Wanted = 0x8024,
  // both ways, any time
  ErrorReport = 0x8030,
  Heartbeat = 0x0031,
};

/// Of a type: a reader that does not know it must end the session, else skip it.
constexpr uint16_t kMustUnderstand = 0x8000;

/// DATA: these bytes were asked for again and come from a private buffer.
constexpr uint16_t kFlagResent = 1;
/// DATA: how many connections were lost with this block on its way. What arrives late over one of
/// them has a smaller number than what took its place.
constexpr uint16_t kAttemptMask = 0xff00;
constexpr uint16_t kMaxAttempt = 255;
constexpr uint16_t attempt_flags(uint16_t attempt) {
  return static_cast<uint16_t>(attempt << 8 & kAttemptMask);
}
constexpr uint16_t attempt_of(uint16_t flags) {
  return (flags & kAttemptMask) >> 8;
}

struct FrameHeader {
  FrameType type{};
  uint16_t flags = 0;   // per type
  uint32_t length = 0;  // of the payload
  uint64_t entry = 0;   // its id; 0 where none is meant
  uint64_t offset = 0;  // in the entry; 0 where none is meant

  // But for the check.
  void fields(auto& c) {
    c.number("type", type);
    c.number("flags", flags);
    c.number("length", length);
    c.number("entry", entry);
    c.number("offset", offset);
  }
};

using FrameHeaderBytes = std::array<std::byte, kFrameHeaderBytes>;

FrameHeaderBytes encode_header(FrameHeader header);

/// Throws Error{Protocol} when the check is wrong or the length is over the limit of the type. The
/// type may be unknown: is_known() tells.
FrameHeader decode_header(std::span<const std::byte, kFrameHeaderBytes> bytes);

/// Messages that decide something: they are counted on the first connection of a session, kept
/// until the peer has counted them, and come again over the connection that replaces a lost one.
/// Blocks and what answers them are not: a block belongs to its sender until it is acknowledged.
bool is_counted(FrameType type);
bool is_known(FrameType type);
/// "DATA", "END", ...; "unknown frame" for a type that is_known() denies.
const char* frame_name(FrameType type);

}  // namespace zx
