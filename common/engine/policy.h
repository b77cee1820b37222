// SPDX-License-Identifier: MIT
// The one place that decides how bytes move. Pure functions from facts to an engine and the reason
// why it is not a better one; the tables are in zsend-transfer(7), ENGINES, and are tested by
// tests/unit/policy_test.cc. Who collects the facts and makes the engines: engine/engine_set.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

namespace zx {

enum class Engine {
  Sendfile,   // file -> socket in the kernel
  Splice,     // file -> pipe -> socket, or socket -> pipe -> file, in the kernel
  Mmap,       // mapping of the file -> channel
  ReadWrite,  // through a buffer in user space
  Direct,     // past the page cache (O_DIRECT), several requests at a time
};

const char* engine_name(Engine engine);

struct Choice {
  Engine engine{};
  std::string why;        // empty when it is the best there is
  bool uncached = false;  // ReadWrite only: with RWF_DONTCACHE, where the kernel has it

  /// It does not work after all, because of `what`: from here on ReadWrite.
  void fall_back(const char* what, int error);
};

// The thresholds come from `tests/bench/bench.py sweep` and are what its README says of it.
/// Below this nothing goes past the page cache, however little memory there is.
constexpr uint64_t kSmallestDirectBytes = 8 << 20;
/// A cold source from this size on is read past the page cache: less CPU time than sendfile from
/// here on, in the same time. A hot one takes twice the time from the disk, at any size.
constexpr uint64_t kColdDirectBytes = 64 << 20;
/// A source is cold when less than this part of it is in the page cache, in percent...
constexpr uint64_t kColdPercent = 10;
/// ... and hot when at least this part is: a hot one is never read from the disk.
constexpr uint64_t kHotPercent = 90;
/// A file that is synced before it counts goes to the disk in any case; from this size on directly.
/// ext4, kernel 6.18, 1 GB, TLS and plain: half the time and a third of the receiver's CPU or less;
/// at 16 MB no difference.
constexpr uint64_t kSyncedDirectBytes = 64 << 20;
/// One that is not synced goes directly from this size on, as long as the disk keeps up: here it
/// begins to be faster than splice, with half of its CPU time or less.
constexpr uint64_t kUnsyncedDirectBytes = 256 << 20;
/// A file larger than this part of the available memory would push out what others use.
constexpr uint64_t kLargePartOfMemory = 4;

/// Smaller pipes lose bytes on kernels before mid-2026 when they splice from kernel TLS, and cost
/// more calls than a buffer on any.
constexpr size_t kMinSplicePipeBytes = 64 << 10;

/// How the content of a source gets to where it is sent from.
enum class Intake {
  None,    // it is a file
  Splice,  // out of a pipe into memory, in the kernel
  Read,    // out of something else into memory, copied by the program
};

/// What is known about one source before its first byte is read.
struct SourceFacts {
  uint64_t size = 0;
  std::optional<uint64_t> resident_bytes;  // in the page cache; nothing: not known
  uint64_t available_memory = 0;           // bytes; 0: not known
  int direct_error = 0;                    // errno of opening it with O_DIRECT
  Intake intake = Intake::None;            // not None: a window in memory, all else is 0
};

struct SendFacts {
  bool channel_has_descriptor = false;  // Channel::send_fd() >= 0
  std::optional<Engine> asked;          // --engine; nothing for auto
  SourceFacts source = {};
  size_t pipe_bytes = 0;           // of a pipe for Splice, as read back; 0 when none could be made
  bool fixed_buffer = false;       // --buffer-size: calls of that size and nothing cleverer
  bool rate_limited_here = false;  // Socket::limits_rate_itself(): why there is no descriptor
};

/// What is known about one file to be written.
struct SinkFacts {
  uint64_t size = 0;              // announced
  uint64_t available_memory = 0;  // bytes; 0: not known
  int direct_error = 0;           // errno of opening it with O_DIRECT
  bool in_memory = false;         // tmpfs: no disk to write to
  bool synced = false;            // --durability is not none
};

struct RecvFacts {
  bool channel_has_descriptor = false;  // Channel::recv_fd() >= 0
  size_t pipe_bytes = 0;                // as read back; 0 when no pipe could be made
  std::optional<Engine> asked;
  SinkFacts sink = {};
  bool fixed_buffer = false;  // as in SendFacts
  /// Direct writes over this connection were once found to wait for the disk half of the time.
  bool disk_is_behind = false;
  bool splice_skips = false;  // Channel::splice_skips(): why there is no descriptor
};

Choice choose_send_engine(const SendFacts& facts);
Choice choose_recv_engine(const RecvFacts& facts);

}  // namespace zx
