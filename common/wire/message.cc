// SPDX-License-Identifier: MIT
#include "common/wire/message.h"

#include <xxhash.h>

#include <algorithm>

#include "common/base/error.h"

namespace zx {
namespace {

enum TermsFlag : uint8_t {
  kWantsFileDigest = 1,
  kNoTargetDirectory = 2,
  kPreserve = 4,
  kPathIsDirectory = 8,
  kToPipe = 16,
  kSeveral = 32,
  kMkdir = 64,
};
enum EndFlag : uint8_t { kChanged = 1, kHasFileDigest = 2 };
constexpr uint8_t kSparse = 1, kOpenEnded = 2;
constexpr uint8_t kSkipped = 1;
constexpr uint8_t kDurable = 1;

uint8_t bit(bool set, uint8_t mask) {
  return set ? mask : 0;
}

uint8_t flags_of(Decoder& d, uint8_t known) {
  const uint8_t flags = d.u8("flags");
  if ((flags & ~known) != 0) d.fail("flags", "unknown bit");
  return flags;
}

void put_status(Encoder& e, ExitStatus status) {
  e.u8(static_cast<uint8_t>(status));
}

ExitStatus get_status(Decoder& d) {
  const auto status = status_from_number(d.u8("status"));
  if (!status) d.fail("status", "unknown");
  return *status;
}

template <typename Enum>
Enum get_enum(Decoder& d, Enum last, std::string_view field) {
  const uint8_t value = d.u8(field);
  if (value > static_cast<uint8_t>(last)) d.fail(field, "unknown");
  return static_cast<Enum>(value);
}

void put_text(Encoder& e, const std::string& text) {
  e.text(text.substr(0, kMaxTextBytes));
}

void put_path_report(Encoder& e, const PathReport& p) {
  e.text(p.engine).text(p.tls);
  put_text(e, p.why);
  put_text(e, p.tls_why);
}

PathReport get_path_report(Decoder& d) {
  PathReport p;
  p.engine = d.text(kMaxEngineBytes, "engine");
  p.tls = d.text(kMaxEngineBytes, "tls");
  p.why = d.text(kMaxTextBytes, "why");
  p.tls_why = d.text(kMaxTextBytes, "tls why");
  return p;
}

void put_figures(Encoder& e, const SideFigures& f) {
  e.u64(f.moving_us).u64(f.waiting_us).u64(f.syncing_us).u64(f.cpu_us).u64(f.busy_us);
  e.u32(f.looks).u32(f.backlogs);
}

SideFigures get_figures(Decoder& d) {
  SideFigures f;
  f.moving_us = d.u64("moving time");
  f.waiting_us = d.u64("waiting time");
  f.syncing_us = d.u64("syncing time");
  f.cpu_us = d.u64("CPU time");
  f.busy_us = d.u64("busy time");
  f.looks = d.u32("looks");
  f.backlogs = d.u32("backlogs");
  return f;
}

}  // namespace

Bytes encode(const Terms& m) {
  Encoder e;
  e.raw(m.connector_preface).raw(m.listener_preface);
  e.u64(m.required_features).u64(m.optional_features).raw(m.session).u32(m.max_block_bytes);
  e.u8(static_cast<uint8_t>(m.durability)).u8(static_cast<uint8_t>(m.overwrite));
  e.u8(static_cast<uint8_t>(
      bit(m.file_digest, kWantsFileDigest) | bit(m.no_target_directory, kNoTargetDirectory) |
      bit(m.preserve, kPreserve) | bit(m.path_is_directory, kPathIsDirectory) |
      bit(m.to_pipe, kToPipe) | bit(m.several, kSeveral) | bit(m.mkdir, kMkdir)));
  e.u64(m.rate_limit).u32(m.silence_ms).u16(m.streams).name_list(m.path);
  e.text(m.build);
  return e.take();
}

Terms decode_terms(ByteView bytes) {
  Decoder d(bytes, "HELLO");
  Terms m;
  m.connector_preface = d.array<kPrefaceBytes>("connector's preface");
  m.listener_preface = d.array<kPrefaceBytes>("listener's preface");
  m.required_features = d.u64("required features");
  m.optional_features = d.u64("optional features");
  m.session = d.array<16>("session id");
  m.max_block_bytes = d.u32("block limit");
  if (m.max_block_bytes < kMinBlockBytes || m.max_block_bytes > kMaxBlockBytes)
    d.fail("block limit", "not from 1 to 16 MiB");
  m.durability = get_enum(d, Durability::File, "durability");
  m.overwrite = get_enum(d, Overwrite::Skip, "overwrite");
  const uint8_t flags = flags_of(d, kWantsFileDigest | kNoTargetDirectory | kPreserve |
                                        kPathIsDirectory | kToPipe | kSeveral | kMkdir);
  m.file_digest = (flags & kWantsFileDigest) != 0;
  m.no_target_directory = (flags & kNoTargetDirectory) != 0;
  m.preserve = (flags & kPreserve) != 0;
  m.path_is_directory = (flags & kPathIsDirectory) != 0;
  m.to_pipe = (flags & kToPipe) != 0;
  m.several = (flags & kSeveral) != 0;
  m.mkdir = (flags & kMkdir) != 0;
  m.rate_limit = d.u64("rate limit");
  if (m.rate_limit != 0 && m.rate_limit < kMinRateLimit) d.fail("rate limit", "below 1 KiB/s");
  m.silence_ms = d.u32("silence");
  if (m.silence_ms < kMinSilenceMs || m.silence_ms > kMaxSilenceMs)
    d.fail("silence", "not from 250 ms to 15 s");
  m.streams = d.u16("streams");
  if (m.streams > kMaxStreams) d.fail("streams", "over " + std::to_string(kMaxStreams));
  m.path = d.name_list(kMaxPathComponents, kMaxNameBytes, kMaxPathBytes, "path");
  m.build = d.text(kMaxBuildBytes, "build");
  d.finish();
  return m;
}

Bytes encode(const Join& m) {
  Encoder e;
  e.raw(m.connector_preface).raw(m.listener_preface).raw(m.session);
  e.u16(m.stream).u32(m.generation).u64(m.taken);
  return e.take();
}

Join decode_join(ByteView bytes) {
  Decoder d(bytes, "JOIN");
  Join m;
  m.connector_preface = d.array<kPrefaceBytes>("connector's preface");
  m.listener_preface = d.array<kPrefaceBytes>("listener's preface");
  m.session = d.array<16>("session id");
  m.stream = d.u16("stream");
  m.generation = d.u32("generation");
  m.taken = d.u64("messages taken");
  d.finish();
  return m;
}

Bytes encode(const EntryInfo& m) {
  Encoder e;
  e.u8(kEntryRegularFile);
  e.u8(static_cast<uint8_t>(bit(m.sparse, kSparse) | bit(m.open_ended, kOpenEnded)));
  e.name_list(m.name).u64(m.size);
  e.u64(static_cast<uint64_t>(m.mtime_sec)).u32(m.mtime_nsec).u32(m.mode);
  return e.take();
}

EntryInfo decode_entry(ByteView bytes) {
  Decoder d(bytes, "ENTRY");
  EntryInfo m;
  if (d.u8("kind") != kEntryRegularFile) d.fail("kind", "unknown");
  const uint8_t flags = flags_of(d, kSparse | kOpenEnded);
  m.sparse = (flags & kSparse) != 0;
  m.open_ended = (flags & kOpenEnded) != 0;
  if (m.sparse && m.open_ended) d.fail("flags", "holes in an entry of unknown length");
  m.name = d.name_list(kMaxPathComponents, kMaxNameBytes, kMaxPathBytes, "name");
  m.size = d.u64_max(kMaxFileBytes, "size");
  m.mtime_sec = static_cast<int64_t>(d.u64("mtime"));
  m.mtime_nsec = d.u32("mtime nanoseconds");
  if (m.mtime_nsec > 999'999'999) d.fail("mtime nanoseconds", "over 999999999");
  m.mode = d.u32("mode");
  if (m.mode > 07777) d.fail("mode", "more than permission bits");
  d.finish();
  return m;
}

Bytes encode(const BlockDigest& m) {
  Encoder e;
  e.u32(m.length).raw(m.digest);
  return e.take();
}

BlockDigest decode_block_digest(ByteView bytes) {
  Decoder d(bytes, "DIGEST");
  BlockDigest m;
  m.length = d.u32("length");
  m.digest = d.array<16>("digest");
  d.finish();
  return m;
}

Bytes encode(const EntryEnd& m) {
  Encoder e;
  e.u8(static_cast<uint8_t>(bit(m.changed, kChanged) | bit(m.has_file_digest, kHasFileDigest)));
  put_status(e, m.failure);
  e.raw(m.block_sum).raw(m.file_digest);
  put_text(e, m.reason);
  return e.take();
}

EntryEnd decode_entry_end(ByteView bytes) {
  Decoder d(bytes, "END");
  EntryEnd m;
  const uint8_t flags = flags_of(d, kChanged | kHasFileDigest);
  m.changed = (flags & kChanged) != 0;
  m.has_file_digest = (flags & kHasFileDigest) != 0;
  m.failure = get_status(d);
  m.block_sum = d.array<16>("block sum");
  m.file_digest = d.array<16>("file digest");
  m.reason = d.text(kMaxTextBytes, "reason");
  d.finish();
  return m;
}

Bytes encode(const Fin& m) {
  Encoder e;
  e.u64(m.entries);
  put_path_report(e, m.path);
  put_figures(e, m.figures);
  return e.take();
}

Fin decode_fin(ByteView bytes) {
  Decoder d(bytes, "FIN");
  Fin m;
  m.entries = d.u64("entries");
  m.path = get_path_report(d);
  m.figures = get_figures(d);
  d.finish();
  return m;
}

Bytes encode(const Verdict& m) {
  Encoder e;
  put_status(e, m.status);
  e.u8(bit(m.durable, kDurable)).u64(m.entries).u64(m.bytes).raw(m.root);
  e.u64(m.retransmitted_blocks);
  put_path_report(e, m.path);
  put_figures(e, m.figures);
  return e.take();
}

Verdict decode_verdict(ByteView bytes) {
  Decoder d(bytes, "VERDICT");
  Verdict m;
  m.status = get_status(d);
  m.durable = flags_of(d, kDurable) != 0;
  m.entries = d.u64("entries");
  m.bytes = d.u64("bytes");
  m.root = d.array<16>("root");
  m.retransmitted_blocks = d.u64("retransmitted blocks");
  m.path = get_path_report(d);
  m.figures = get_figures(d);
  d.finish();
  return m;
}

Bytes encode_results(std::span<const Result> results) {
  Encoder e;
  e.u16(static_cast<uint16_t>(results.size()));
  for (const Result& r : results) {
    e.u64(r.first).u32(r.count);
    put_status(e, r.status);
    e.u8(bit(r.skipped, kSkipped));
    put_text(e, r.reason);
  }
  return e.take();
}

std::vector<Result> decode_results(ByteView bytes) {
  Decoder d(bytes, "RESULTS");
  const uint16_t count = d.u16("count");
  if (count == 0 || count > kMaxResults) d.fail("count", "none or too many");
  std::vector<Result> out(count);
  for (Result& r : out) {
    r.first = d.u64("first entry");
    r.count = d.u32("entries");
    if (r.first == 0 || r.count == 0 || r.first + r.count < r.first) d.fail("entries", "no range");
    r.status = get_status(d);
    r.skipped = flags_of(d, kSkipped) != 0;
    r.reason = d.text(kMaxTextBytes, "reason");
  }
  d.finish();
  return out;
}

Bytes encode_heartbeat(uint64_t taken) {
  return Encoder().u64(taken).take();
}

uint64_t decode_heartbeat(ByteView bytes) {
  Decoder d(bytes, "HEARTBEAT");
  const uint64_t taken = d.u64("messages taken");
  d.finish();
  return taken;
}

Bytes encode(const ErrorMessage& m) {
  Encoder e;
  put_status(e, m.status);
  put_text(e, m.text);
  return e.take();
}

ErrorMessage decode_error(ByteView bytes) {
  Decoder d(bytes, "ERROR");
  ErrorMessage m;
  m.status = get_status(d);
  if (m.status == ExitStatus::Ok) d.fail("status", "an error that is none");
  m.text = d.text(kMaxTextBytes, "text");
  d.finish();
  return m;
}

Bytes encode_hole(uint64_t length) {
  return Encoder().u64(length).take();
}

uint64_t decode_hole(ByteView bytes) {
  Decoder d(bytes, "HOLE");
  const uint64_t length = d.u64_max(kMaxFileBytes, "length");
  d.finish();
  return length;
}

Bytes encode_retry(uint32_t length) {
  return Encoder().u32(length).take();
}

uint32_t decode_retry(ByteView bytes) {
  Decoder d(bytes, "RETRY");
  const uint32_t length = d.u32("length");
  if (length == 0 || length > kMaxBlockBytes) d.fail("length", "not a block's");
  d.finish();
  return length;
}

Bytes encode_bye(ExitStatus status) {
  Encoder e;
  put_status(e, status);
  return e.take();
}

ExitStatus decode_bye(ByteView bytes) {
  Decoder d(bytes, "BYE");
  const ExitStatus status = get_status(d);
  d.finish();
  return status;
}

Bytes encode_streams(uint16_t count) {
  return Encoder().u16(count).take();
}

uint16_t decode_streams(ByteView bytes) {
  Decoder d(bytes, "STREAMS");
  const uint16_t count = d.u16("count");
  if (count < 2 || count > kMaxStreams)
    d.fail("count", "not from 2 to " + std::to_string(kMaxStreams));
  d.finish();
  return count;
}

Bytes seal(Bytes body) {
  const uint64_t check = XXH3_64bits(body.data(), body.size());
  const Bytes tail = Encoder().u64(check).take();
  body.insert(body.end(), tail.begin(), tail.end());
  return body;
}

ByteView unseal(ByteView payload) {
  if (payload.size() < kSealBytes)
    throw Error(ExitStatus::Protocol, "peer sent a message without its check");
  const ByteView body = payload.first(payload.size() - kSealBytes);
  Decoder d(payload.last(kSealBytes), "message");
  if (d.u64("check") != XXH3_64bits(body.data(), body.size())) d.fail("check", "mismatch");
  return body;
}

}  // namespace zx
