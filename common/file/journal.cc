// SPDX-License-Identifier: MIT
#include "common/file/journal.h"

#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <fstream>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/wire/codec.h"

namespace zx {
namespace {

constexpr std::string_view kMagic = "zrecv journal 1\n";
// Of the head: its length behind the magic, and its check at the end.
constexpr size_t kLengthBytes = 2, kCheckBytes = 8;
constexpr size_t kRecordBytes = 1 + 8 + 8 + 16 + kCheckBytes;
enum Kind : uint8_t { Block = 1, Hole = 2, Stopped = 3 };

struct Record {
  uint8_t kind = 0;
  uint64_t offset = 0, length = 0;
  Digest digest{};

  void fields(auto& c) {
    c.number("kind", kind);
    c.number("offset", offset);
    c.number("length", length);
    c.bytes("digest", digest);
  }
};

uint64_t check_of(ByteView bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

uint64_t take_check(ByteView bytes) {
  Decoder d(bytes, "journal");
  uint64_t check = 0;
  d.number("check", check);
  return check;
}

Bytes encode_head(const JournalHead& head) {
  Encoder fields;
  JournalHead copy = head;
  copy.fields(fields);
  Encoder e;
  e.raw(as_bytes(kMagic));
  e.number("length", static_cast<uint16_t>(fields.so_far().size()));
  e.raw(fields.so_far());
  e.number("check", check_of(e.so_far(), 0));
  return e.take();
}

// Its records belong to this head, and to no other.
uint64_t seed_of(ByteView head) {
  return take_check(head.last(kCheckBytes));
}

// Nothing for what is no head. `taken`: its bytes.
std::optional<JournalHead> decode_head(ByteView bytes, size_t* taken) {
  if (bytes.size() < kMagic.size() + kLengthBytes ||
      !std::ranges::equal(bytes.first(kMagic.size()), as_bytes(kMagic)))
    return std::nullopt;
  Decoder d(bytes.subspan(kMagic.size(), kLengthBytes), "journal");
  uint16_t length = 0;
  d.number("length", length);
  const size_t checked = kMagic.size() + kLengthBytes + length;
  if (bytes.size() < checked + kCheckBytes ||
      take_check(bytes.subspan(checked, kCheckBytes)) != check_of(bytes.first(checked), 0))
    return std::nullopt;
  *taken = checked + kCheckBytes;
  try {
    Decoder fields(bytes.first(checked).last(length), "journal");
    JournalHead head;
    head.fields(fields);
    fields.finish();
    return head;
  } catch (const Error&) {
    return std::nullopt;
  }
}

}  // namespace

std::optional<Journal> read_journal(int fd, const std::string& what) {
  const off_t end = lseek(fd, 0, SEEK_END);
  if (end < 0) throw_file_errno(what + ": read", errno);
  Bytes all(std::min<uint64_t>(static_cast<uint64_t>(end), kMostJournalBytes));
  const ssize_t got = pread_full(fd, all, 0);
  if (got < 0) throw_file_errno(what + ": read", static_cast<int>(-got));
  ByteView rest = ByteView(all).first(static_cast<size_t>(got));

  Journal out;
  size_t head_bytes = 0;
  auto head = decode_head(rest, &head_bytes);
  if (!head) return std::nullopt;
  out.head = std::move(*head);
  out.bytes = head_bytes;
  const uint64_t seed = seed_of(rest.first(head_bytes));
  for (rest = rest.subspan(head_bytes); rest.size() >= kRecordBytes;
       rest = rest.subspan(kRecordBytes)) {
    const ByteView record = rest.first(kRecordBytes),
                   body = record.first(kRecordBytes - kCheckBytes);
    if (take_check(record.last(kCheckBytes)) != check_of(body, seed + out.records)) break;
    Decoder d(body, "journal");
    Record r;
    r.fields(d);
    out.stopped.reset();
    if (r.kind == Stopped)
      out.stopped = r.digest;
    else if (r.kind == Block || r.kind == Hole)
      out.ranges.push_back({r.offset, r.length, r.kind == Hole, r.digest});
    else
      break;
    out.bytes += kRecordBytes;
    ++out.records;
  }
  return out;
}

JournalWriter::JournalWriter(UniqueFd fd, const JournalHead& head, std::string what)
    : fd_(std::move(fd)), what_(std::move(what)) {
  const Bytes bytes = encode_head(head);
  seed_ = seed_of(bytes);
  if (const int error = pwrite_full(fd_.get(), bytes, 0); error != 0)
    throw_file_errno(what_ + ": write", -error);
  bytes_ = bytes.size();
}

JournalWriter::JournalWriter(UniqueFd fd, const Journal& read, std::string what)
    : fd_(std::move(fd)),
      what_(std::move(what)),
      seed_(seed_of(encode_head(read.head))),
      bytes_(read.bytes),
      records_(read.records) {
  if (ftruncate(fd_.get(), to_off(bytes_)) != 0) throw_file_errno(what_ + ": cut", errno);
}

void JournalWriter::append(uint8_t kind, uint64_t offset, uint64_t length, const Digest& digest) {
  Record record{kind, offset, length, digest};
  Encoder e;
  record.fields(e);
  e.number("check", check_of(e.so_far(), seed_ + records_));
  if (const int error = pwrite_full(fd_.get(), e.so_far(), bytes_); error != 0)
    throw_file_errno(what_ + ": write", -error);
  bytes_ += kRecordBytes;
  ++records_;
}

void JournalWriter::add(const KeptRange& range) {
  append(range.hole ? Hole : Block, range.offset, range.length, range.digest);
}

void JournalWriter::stop(const Digest& state) {
  append(Stopped, 0, 0, state);
}

void JournalWriter::sync() {
  if (fdatasync(fd_.get()) != 0) throw_file_errno(what_ + ": sync to disk", errno);
}

std::optional<std::array<std::byte, 16>> boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  if (!std::getline(file, text) || text.empty()) return std::nullopt;
  return digest_of(as_bytes(text));
}

}  // namespace zx
