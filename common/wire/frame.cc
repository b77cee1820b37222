// SPDX-License-Identifier: MIT
#include "common/wire/frame.h"

#include <xxhash.h>

#include <algorithm>
#include <string>

#include "common/wire/codec.h"

namespace zx {
namespace {

constexpr size_t kCheckedBytes = 24;

struct Row {
  FrameType type;
  const char* name;
  bool counted = false;
};

constexpr Row kTypes[] = {
    {FrameType::Hello, "HELLO"},
    {FrameType::Welcome, "WELCOME"},
    {FrameType::Join, "JOIN"},
    {FrameType::Streams, "STREAMS", true},
    {FrameType::Entry, "ENTRY", true},
    {FrameType::Data, "DATA"},
    {FrameType::DataDigest, "DIGEST"},
    {FrameType::Hole, "HOLE", true},
    {FrameType::End, "END", true},
    {FrameType::Fin, "FIN", true},
    {FrameType::Bye, "BYE", true},
    {FrameType::Ack, "ACK"},
    {FrameType::Retry, "RETRY"},
    {FrameType::Results, "RESULTS", true},
    {FrameType::Verdict, "VERDICT", true},
    {FrameType::Deleted, "DELETED", true},
    {FrameType::Wanted, "WANTED", true},
    {FrameType::ErrorReport, "ERROR"},
    {FrameType::Heartbeat, "HEARTBEAT"},
};

// nullptr for an unknown type.
const Row* row_of(FrameType type) {
  const Row* row = std::ranges::find(kTypes, type, &Row::type);
  return row != std::end(kTypes) ? row : nullptr;
}

}  // namespace

bool is_known(FrameType type) {
  return row_of(type) != nullptr;
}

bool is_counted(FrameType type) {
  return is_known(type) && row_of(type)->counted;
}

const char* frame_name(FrameType type) {
  return is_known(type) ? row_of(type)->name : "unknown frame";
}

FrameHeaderBytes encode_header(FrameHeader header) {
  Encoder e;
  header.fields(e);
  e.number("check", XXH3_64bits(e.so_far().data(), kCheckedBytes));
  FrameHeaderBytes out{};
  std::ranges::copy(e.so_far(), out.begin());
  return out;
}

FrameHeader decode_header(std::span<const std::byte, kFrameHeaderBytes> bytes) {
  Decoder d(bytes, "frame header");
  FrameHeader h;
  uint64_t check = 0;
  h.fields(d);
  d.number("check", check);
  d.require(check == XXH3_64bits(bytes.data(), kCheckedBytes), "check", "mismatch");
  const uint32_t limit = h.type == FrameType::Data ? kMaxBlockBytes : kMaxMessageBytes;
  if (h.length > limit)
    d.fail(frame_name(h.type),
           "length " + std::to_string(h.length) + " over the limit of " + std::to_string(limit));
  return h;
}

}  // namespace zx
