// SPDX-License-Identifier: MIT
// The journal of a part: which ranges of a file that is being received are there and verified, so
// that a later run goes on from them. Append-only. What it says is no more than a claim: a range
// counts when its bytes have that digest again, or when the run before has stopped in order and
// nothing has touched the part since (Journal::stopped).
//
// On the disk: a head, then records of one size; each has the XXH3-64 of itself, seeded by the head
// and its number, so that none counts that was cut, edited, moved or is of another run. Reading
// ends at the first that is not sound.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/unique_fd.h"
#include "common/integrity/digest.h"

namespace zx {

/// What the sender says of a source that it can know again without reading it. Opaque here.
using SourceToken = std::array<std::byte, 16>;

struct JournalHead {
  std::array<std::byte, 16> run{};   // random, of the run that has begun it
  std::array<std::byte, 16> boot{};  // of the machine, see boot_id()
  uint64_t device = 0, inode = 0;    // of the part
  uint64_t size = 0;                 // of the source, when it was announced
  SourceToken token{};
  std::string name;  // the final one

  bool operator==(const JournalHead&) const = default;
  void fields(auto& c) {
    c.bytes("run", run);
    c.bytes("boot", boot);
    c.number("device", device);
    c.number("inode", inode);
    c.number("size", size);
    c.bytes("token", token);
    c.text("name", name, 255);
  }
};

struct KeptRange {
  uint64_t offset = 0, length = 0;
  bool hole = false;  // reads as zeros, and has no digest
  Digest digest{};
  bool operator==(const KeptRange&) const = default;
};

struct Journal {
  JournalHead head;
  std::vector<KeptRange> ranges;  // in the order in which they were added; they may overlap
  /// What was told at an end in order, when that is the last record.
  std::optional<Digest> stopped;
  uint64_t bytes = 0;    // of what is sound
  uint64_t records = 0;  // in it
};

/// Nothing when it has no sound head. Reads kMostJournalBytes at most. Blocking. Throws
/// Error{FileIo} when it cannot be read.
std::optional<Journal> read_journal(int fd, const std::string& what);
constexpr uint64_t kMostJournalBytes = 64 << 20;

class JournalWriter {
 public:
  /// Begins a new one: `fd` is empty. Throws Error{FileIo|NoSpace}, as all of these. `what`: for
  /// messages.
  JournalWriter(UniqueFd fd, const JournalHead& head, std::string what);
  /// Goes on behind what is sound of one that was read; the rest goes.
  JournalWriter(UniqueFd fd, const Journal& read, std::string what);

  void add(const KeptRange& range);
  /// The run ends in order, and this is what the part is like then.
  void stop(const Digest& state);
  void sync();

 private:
  void append(uint8_t kind, uint64_t offset, uint64_t length, const Digest& digest);

  UniqueFd fd_;
  const std::string what_;
  uint64_t seed_ = 0, bytes_ = 0, records_ = 0;
};

/// Of /proc/sys/kernel/random/boot_id; nothing where that cannot be read: then no two runs are of
/// one boot.
std::optional<std::array<std::byte, 16>> boot_id();

}  // namespace zx
