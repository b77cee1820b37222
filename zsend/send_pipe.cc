// SPDX-License-Identifier: MIT
// The part of EntrySender that reads pipes: entries of unknown length. All of one goes over the
// first connection.
#include <algorithm>
#include <ctime>

#include "common/base/error.h"
#include "zsend/entry_sender.h"

namespace zx {
namespace {

// As much as is sent at a time when there is so much.
constexpr uint32_t kPipeBlockBytes = 1U << 20;
// And when there is less, after the first of it has waited so long: what is typed or logged arrives
// at once, and a producer that writes little at a time does not make a block of each write.
constexpr std::chrono::milliseconds kGather{20};
// Before the receiver's umask.
constexpr uint32_t kMode = 0644;

std::chrono::milliseconds since(Clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - then);
}

}  // namespace

void EntrySender::begin_pipe(OutgoingEntry& entry, PipeSource& pipe) {
  pipe.start();
  timespec now{};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  EntryInfo info;
  info.name = {pipe.label().name};
  info.size = pipe.label().expected_bytes;
  info.open_ended = true;
  info.mtime_sec = now.tv_sec;
  info.mtime_nsec = static_cast<uint32_t>(now.tv_nsec);
  info.mode = kMode;
  auto reading = std::make_unique<Reading>();
  reading->file = pipe.window();
  reading->facts.intake = pipe.spliced() ? Intake::Splice : Intake::Read;
  reading->pipe = &pipe;
  start_reading(entry, std::move(reading));
  // At once: whoever waits at the other end hears that something begins.
  link_.send(FrameType::Entry, entry.id, 0, encode(std::move(info)));
}

// True when something was sent or taken, or it has ended.
bool EntrySender::send_more_of_pipe(OutgoingEntry& entry) {
  Reading& reading = *entry.reading;
  PipeSource& pipe = *reading.pipe;
  const uint32_t block_bytes = std::min(agreed_.block_bytes, kPipeBlockBytes);
  const auto waiting = static_cast<uint32_t>(pipe.end() - entry.bytes);
  if (waiting >= block_bytes ||
      (waiting > 0 && (pipe.ended() || pipe.full() || since(reading.first_waiting) >= kGather))) {
    send_block(entry, std::min(waiting, block_bytes));
    return true;
  }
  // A command that has failed counts at once, also when others still hold its output.
  Command* const command = pipe.command();
  const bool failed = command != nullptr && !command->failure().empty();
  if (!failed && !pipe.ended()) {
    if (!pipe.take(block_bytes - waiting)) return pipe.ended();
    if (waiting == 0) reading.first_waiting = Clock::now();
    return true;
  }
  // It may go on after it has closed its output, and what counts is how it ends.
  if (command != nullptr && command->running()) return false;
  if (pipe.error() != 0)
    entry.fail(file_status_of_errno(pipe.error()),
               pipe.describe() + ": " + errno_text(pipe.error()));
  if (command != nullptr) {
    if (const std::string failure = command->wait(); !failure.empty())
      entry.fail(ExitStatus::CommandFailed, pipe.describe() + " " + failure);
  }
  if (entry.failed()) pipe.stop();
  reading.read_to_end = true;
  current_ = nullptr;
  return true;
}

// What to wait for, and how long at most.
int EntrySender::pipe_event(OutgoingEntry& entry, std::chrono::milliseconds* limit) {
  PipeSource& pipe = *entry.reading->pipe;
  if (pipe.ended()) return pipe.command() != nullptr ? pipe.command()->process_fd() : -1;
  if (pipe.end() > entry.bytes)
    *limit = std::clamp(kGather - since(entry.reading->first_waiting), std::chrono::milliseconds(1),
                        *limit);
  return pipe.full() ? -1 : pipe.input();
}

}  // namespace zx
