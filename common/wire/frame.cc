// SPDX-License-Identifier: MIT
#include "common/wire/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "common/base/error.h"
#include "common/wire/codec.h"

namespace zx {
namespace {

constexpr size_t kCheckedBytes = 24;

struct Row {
  FrameType type;
  const char* name;
};

constexpr Row kTypes[] = {
    {FrameType::Hello, "HELLO"},
    {FrameType::Welcome, "WELCOME"},
    {FrameType::Join, "JOIN"},
    {FrameType::Streams, "STREAMS"},
    {FrameType::Entry, "ENTRY"},
    {FrameType::Data, "DATA"},
    {FrameType::DataDigest, "DIGEST"},
    {FrameType::Hole, "HOLE"},
    {FrameType::End, "END"},
    {FrameType::Fin, "FIN"},
    {FrameType::Bye, "BYE"},
    {FrameType::Ack, "ACK"},
    {FrameType::Retry, "RETRY"},
    {FrameType::Results, "RESULTS"},
    {FrameType::Verdict, "VERDICT"},
    {FrameType::ErrorReport, "ERROR"},
    {FrameType::Heartbeat, "HEARTBEAT"},
};

}  // namespace

bool is_counted(FrameType type) {
  switch (type) {
    case FrameType::Streams:
    case FrameType::Entry:
    case FrameType::Hole:
    case FrameType::End:
    case FrameType::Fin:
    case FrameType::Bye:
    case FrameType::Results:
    case FrameType::Verdict:
      return true;
    default:
      return false;
  }
}

bool is_known(FrameType type) {
  return std::ranges::any_of(kTypes, [&](const Row& row) { return row.type == type; });
}

const char* frame_name(FrameType type) {
  for (const Row& row : kTypes)
    if (row.type == type) return row.name;
  return "unknown frame";
}

FrameHeaderBytes encode_header(const FrameHeader& h) {
  Encoder e;
  e.u16(static_cast<uint16_t>(h.type)).u16(h.flags).u32(h.length).u64(h.entry).u64(h.offset);
  e.u64(XXH3_64bits(e.bytes().data(), kCheckedBytes));
  FrameHeaderBytes out{};
  std::copy(e.bytes().begin(), e.bytes().end(), out.begin());
  return out;
}

FrameHeader decode_header(std::span<const std::byte, kFrameHeaderBytes> bytes) {
  Decoder d(bytes, "frame header");
  FrameHeader h;
  h.type = static_cast<FrameType>(d.u16("type"));
  h.flags = d.u16("flags");
  h.length = d.u32("length");
  h.entry = d.u64("entry");
  h.offset = d.u64("offset");
  if (d.u64("check") != XXH3_64bits(bytes.data(), kCheckedBytes)) d.fail("check", "mismatch");
  const uint32_t limit = h.type == FrameType::Data ? kMaxBlockBytes : kMaxMessageBytes;
  if (h.length > limit)
    d.fail(frame_name(h.type),
           "length " + std::to_string(h.length) + " over the limit of " + std::to_string(limit));
  return h;
}

}  // namespace zx
