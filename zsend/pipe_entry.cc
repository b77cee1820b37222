// SPDX-License-Identifier: MIT
// EntryStream: an entry of unknown length, out of a pipe. All of it goes over the first connection.
#include <ctime>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "zsend/entry_stream.h"

namespace zx {
namespace {

// As much as is sent at a time when there is so much.
constexpr uint32_t kPipeBlockBytes = 1U << 20;
// And when there is less, after the first of it has waited so long: what is typed or logged arrives
// at once, and a producer that writes little at a time does not make a block of each write.
constexpr std::chrono::milliseconds kGather{20};
constexpr std::chrono::milliseconds kHeartbeat{400};
// Before the receiver's umask.
constexpr uint32_t kMode = 0644;

}  // namespace

void EntryStream::send(PipeSource& source) {
  await_room();
  source.start();
  const uint64_t id = ++last_id_;
  timespec now{};
  (void)clock_gettime(CLOCK_REALTIME, &now);
  EntryInfo info;
  info.name = {source.label().name};
  info.size = source.label().expected_bytes;
  info.open_ended = true;
  info.mtime_sec = now.tv_sec;
  info.mtime_nsec = static_cast<uint32_t>(now.tv_nsec);
  info.mode = kMode;
  // At once: whoever waits at the other end hears that something begins.
  link_.send(FrameType::Entry, id, 0, encode(info));
  OpenEntry& entry = open_[id];
  entry.file = source.window();
  entry.name = source.label().name;
  entry.facts.intake = source.spliced() ? Intake::Splice : Intake::Read;
  entry.pipe = &source;

  std::optional<Hasher> file_digest;
  if (agreed_.file_digest) file_digest.emplace();
  if (!pass_on(id, source, file_digest ? &*file_digest : nullptr)) return source.stop();
  if (source.error() != 0) {
    source.stop();
    entry.failure = file_status_of_errno(source.error());
    entry.reason = source.describe() + ": " + errno_text(source.error());
  }
  if (!await_command(id, source)) return source.stop();
  if (file_digest && !entry.digest_spoiled) entry.file_digest = file_digest->value();
  send_end(id, entry);
  link_.flush();
  serve_pending();
}

// Up to the end of what the source gives. False when the receiver has given the entry up.
bool EntryStream::pass_on(uint64_t id, PipeSource& source, Hasher* file_digest) {
  OpenEntry& entry = open_.at(id);
  const uint32_t block_bytes = std::min(agreed_.block_bytes, kPipeBlockBytes);
  Clock::time_point first_came, heard = Clock::now();
  for (;;) {
    const uint64_t verified = source.begin();
    serve_pending();
    replace_worn_key();
    if (!open_.contains(id)) return false;
    const auto now = Clock::now();
    if (verified != source.begin() || verified == entry.size) heard = now;

    const auto waiting = static_cast<uint32_t>(source.end() - entry.size);
    const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(now - first_came);
    if (waiting >= block_bytes ||
        (waiting > 0 && (source.ended() || source.full() || age >= kGather))) {
      if (!send_block(id, entry, entry.size, std::min(waiting, block_bytes), file_digest))
        return true;  // its failure goes into END
      continue;
    }
    if (source.ended()) return true;
    if (source.take(block_bytes - waiting)) {
      if (waiting == 0) first_came = now;
      continue;
    }
    if (source.ended()) continue;
    // One that has failed counts at once, also when others still hold its output.
    if (Command* command = source.command(); command != nullptr && !command->failure().empty())
      return true;
    link_.flush();
    const auto wait = waiting > 0 ? kGather - age : kHeartbeat;
    Channel& channel = link_.channel();
    if (!channel.wait_readable_or(source.full() ? -1 : source.input(), wait)) {
      if (waiting == 0) link_.send(FrameType::Heartbeat, 0, 0, {});
    } else if (channel.readable_now()) {
      heard = Clock::now();
    }
    // Somebody who does not say for so long what became of what he got is not there any more.
    if (Clock::now() - heard > channel.socket().idle_timeout())
      channel.socket().fail("receive", EAGAIN);
  }
}

// A command may go on after it has closed its output, and what counts is how it ends. False when
// the receiver has given the entry up.
bool EntryStream::await_command(uint64_t id, PipeSource& source) {
  Command* command = source.command();
  if (command == nullptr) return true;
  link_.flush();
  while (command->running()) {
    serve_pending();
    if (!open_.contains(id)) return false;
    if (!link_.channel().wait_readable_or(command->process_fd(), kHeartbeat))
      link_.send(FrameType::Heartbeat, 0, 0, {});
  }
  OpenEntry& entry = open_.at(id);
  const std::string failure = command->wait();
  if (failure.empty() || entry.failure != ExitStatus::Ok) return true;
  entry.failure = ExitStatus::CommandFailed;
  entry.reason = source.describe() + " " + failure;
  return true;
}

// What the receiver has verified is not asked for again.
void EntryStream::acknowledge(uint64_t id, uint64_t verified) {
  const auto found = open_.find(id);
  // For a file what counts is the result.
  if (found == open_.end() || found->second.pipe == nullptr) return;
  OpenEntry& entry = found->second;
  if (verified > entry.size)
    throw Error(ExitStatus::Protocol, "peer acknowledged what was not sent");
  while (!entry.blocks.empty() &&
         entry.blocks.begin()->first + entry.blocks.begin()->second.length <= verified)
    entry.blocks.erase(entry.blocks.begin());
  entry.resent.erase(entry.resent.begin(), entry.resent.lower_bound(verified));
  entry.pipe->release_to(verified);
}

}  // namespace zx
