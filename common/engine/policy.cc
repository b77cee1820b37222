// SPDX-License-Identifier: MIT
#include "common/engine/policy.h"

#include "common/base/error.h"

namespace zx {
namespace {

constexpr const char* kAsked = "asked for by --engine";
constexpr const char* kOwnRate = "the rate limit of a connection through ssh is kept in user space";
constexpr const char* kSpliceSkips =
    "the kernel's splice loses the rest of a TLS record that was read in part (before 5.16)";
constexpr const char* kUserTls = "the TLS record layer is in user space";

// The reason for the buffered path, with a note when something else was asked for.
Choice buffered(std::optional<Engine> asked, const std::string& why, bool uncached) {
  if (asked && *asked != Engine::ReadWrite)
    return {Engine::ReadWrite, std::string(engine_name(*asked)) + " was asked for, but " + why,
            uncached};
  return {Engine::ReadWrite, why, uncached};
}

std::string direct_refused(int error) {
  return "O_DIRECT is refused here: " + errno_text(error);
}

std::string pipe_too_small(size_t bytes) {
  return "a pipe here holds only " + std::to_string(bytes) + " bytes (fs.pipe-user-pages-soft)";
}

bool large_for_memory(uint64_t size, uint64_t available) {
  return size >= kSmallestDirectBytes && available > 0 && size > available / kLargePartOfMemory;
}

// Why the page cache should not see this source; empty when it may.
std::string keep_out(const SourceFacts& f) {
  // Of a file of 2^63 bytes one percent more than all is still a uint64_t after the division.
  const uint64_t percent = f.resident_bytes ? *f.resident_bytes / (f.size / 100 + 1) : 0;
  if (f.resident_bytes && percent >= kHotPercent) return "";
  if (large_for_memory(f.size, f.available_memory))
    return "larger than a quarter of the available memory";
  if (f.resident_bytes && percent < kColdPercent && f.size >= kColdDirectBytes)
    return "a large file that is not in the page cache";
  return "";
}

std::string keep_out(const SinkFacts& f, bool disk_is_behind) {
  if (f.in_memory) return "";
  if (large_for_memory(f.size, f.available_memory))
    return "larger than a quarter of the available memory";
  if (f.synced && f.size >= kSyncedDirectBytes) return "a large file that is synced to the disk";
  // Without a sync the page cache is there to take what the disk cannot take as fast.
  if (!f.synced && !disk_is_behind && f.size >= kUnsyncedDirectBytes)
    return "a large file, and the disk keeps up";
  return "";
}

// Why there is a copy all the same before the zero-copy path.
std::string intake(Intake how) {
  if (how == Intake::Splice)
    return "from a window in memory, spliced into it: what comes out of a pipe may have to be sent "
           "again";
  if (how == Intake::Read)
    return "from a window in memory, read into it: standard input is not a pipe";
  return "";
}

}  // namespace

const char* engine_name(Engine engine) {
  static constexpr const char* kNames[] = {"sendfile", "splice", "mmap", "readwrite", "direct"};
  return kNames[static_cast<size_t>(engine)];
}

void Choice::fall_back(const char* what, int error) {
  engine = Engine::ReadWrite;
  why = std::string(what) + ": " + errno_text(error);
}

Choice choose_send_engine(const SendFacts& f) {
  const std::string reason = keep_out(f.source);
  const bool past_cache = !reason.empty(), uncached = past_cache && !f.fixed_buffer;
  if (f.asked == Engine::ReadWrite) return {Engine::ReadWrite, kAsked, uncached};
  if (f.asked == Engine::Mmap) return {Engine::Mmap, kAsked};
  if (f.asked == Engine::Direct && f.source.intake != Intake::None)
    return buffered(f.asked, "the source is a pipe, not a file on a disk", false);
  if (f.asked == Engine::Direct) {
    if (f.source.direct_error == 0) return {Engine::Direct, kAsked};
    return buffered(f.asked, direct_refused(f.source.direct_error), uncached);
  }
  if (!f.asked && past_cache && f.source.direct_error == 0) return {Engine::Direct, reason};
  if (!f.channel_has_descriptor)
    return buffered(f.asked, f.rate_limited_here ? kOwnRate : kUserTls, uncached);
  if (f.asked == Engine::Splice) {
    if (f.pipe_bytes == 0) return buffered(f.asked, pipe_too_small(0), uncached);
    return {Engine::Splice, kAsked};
  }
  if (!f.asked && past_cache)
    return {Engine::Sendfile, reason + ", but " + direct_refused(f.source.direct_error)};
  return {Engine::Sendfile, intake(f.source.intake)};
}

Choice choose_recv_engine(const RecvFacts& f) {
  const std::string reason = keep_out(f.sink, f.disk_is_behind);
  const bool past_cache = !reason.empty(), uncached = past_cache && !f.fixed_buffer;
  if (f.asked == Engine::ReadWrite) return {Engine::ReadWrite, kAsked, uncached};
  if (f.asked == Engine::Direct) {
    if (f.sink.direct_error == 0) return {Engine::Direct, kAsked};
    return buffered(f.asked, direct_refused(f.sink.direct_error), uncached);
  }
  if (!f.asked && past_cache && f.sink.direct_error == 0) return {Engine::Direct, reason};
  if (!f.channel_has_descriptor)
    return buffered(f.asked, f.splice_skips ? kSpliceSkips : kUserTls, uncached);
  if (f.pipe_bytes < kMinSplicePipeBytes)
    return buffered(f.asked, pipe_too_small(f.pipe_bytes), uncached);
  if (!f.asked && past_cache)
    return {Engine::Splice, reason + ", but " + direct_refused(f.sink.direct_error)};
  return {Engine::Splice, ""};
}

}  // namespace zx
