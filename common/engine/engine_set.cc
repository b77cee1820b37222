// SPDX-License-Identifier: MIT
#include "common/engine/engine_set.h"

#include "common/base/memory.h"
#include "common/file/direct_file.h"
#include "common/file/residency.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

// Below the smallest size nothing of it can matter, and a small file costs no system call here.
bool worth_looking(uint64_t size, const EngineOptions& options) {
  return options.asked == Engine::Direct || size >= kSmallestDirectBytes;
}

}  // namespace

void note_used(std::vector<UsedEngine>& used, Engine engine, const std::string& reason) {
  auto same = std::ranges::find(used, engine, &UsedEngine::engine);
  if (same == used.end()) same = used.insert(used.end(), {engine, {}});
  if (std::ranges::find(same->reasons, reason) == same->reasons.end())
    same->reasons.push_back(reason);
}

PathReport report_of(const std::vector<UsedEngine>& used, const char* tls_form) {
  PathReport out;
  out.tls = tls_form;
  for (const UsedEngine& u : used) {
    const std::string name = engine_name(u.engine);
    out.engine += (out.engine.empty() ? "" : ",") + name;
    std::string reasons;
    for (const std::string& reason : u.reasons)
      if (!reason.empty()) reasons += (reasons.empty() ? "" : "; ") + reason;
    if (reasons.empty()) continue;
    out.why += (out.why.empty() ? "" : "; ") + (used.size() > 1 ? name + ": " : "") + reasons;
  }
  return out;
}

// --- sending

SendEngines::SendEngines(Channel& channel, const EngineOptions& options)
    : channel_(&channel),
      options_(options),
      pipe_bytes_(options.asked == Engine::Splice ? make_splice_pipe().bytes : 0) {}

SourceFacts SendEngines::look_at(const SourceFile& file) const {
  SourceFacts facts;
  facts.size = file.size();
  if (!worth_looking(facts.size, options_)) return facts;
  facts.resident_bytes = resident_bytes(file.fd(), facts.size);
  facts.available_memory = available_memory();
  facts.direct_error = open_direct(file.fd(), DirectAccess::Read).error;
  return facts;
}

BlockSender& SendEngines::pick(const SourceFacts& source) {
  const Choice choice =
      choose_send_engine({channel_->send_fd() >= 0, options_.asked, source, pipe_bytes_,
                          options_.buffer_bytes != 0, channel_->socket().limits_rate_itself()});
  return shelf_.get(choice,
                    [&] { return make_block_sender(*channel_, choice, options_.buffer_bytes); });
}

void SendEngines::use(Channel& channel) {
  shelf_.clear();
  channel_ = &channel;
}

PathReport SendEngines::report() {
  // Nothing was sent: what would have been used.
  if (shelf_.used().empty() && !gathered_) (void)pick({});
  std::vector<UsedEngine> used = shelf_.used();
  if (gathered_) note_used(used, Engine::ReadWrite, "small files are read and sent many at a time");
  PathReport out = report_of(used, channel_->tls_form());
  out.tls_why = channel_->tls_why();
  return out;
}

// --- receiving

RecvEngines::RecvEngines(Channel& channel, const EngineOptions& options)
    : channel_(&channel), options_(options), pipe_(make_splice_pipe()) {}

SinkFacts RecvEngines::look_at(int file, uint64_t size, bool synced) const {
  SinkFacts facts;
  facts.size = size;
  facts.synced = synced;
  if (!worth_looking(size, options_)) return facts;
  facts.available_memory = available_memory();
  facts.direct_error = open_direct(file, DirectAccess::Write).error;
  facts.in_memory = lives_in_memory(file);
  return facts;
}

BlockReceiver& RecvEngines::pick(const SinkFacts& sink) {
  disk_is_behind_ = disk_is_behind_ || shelf_.any(&BlockReceiver::disk_is_behind);
  const Choice choice = choose_recv_engine({.channel_has_descriptor = channel_->recv_fd() >= 0,
                                            .pipe_bytes = pipe_.bytes,
                                            .asked = options_.asked,
                                            .sink = sink,
                                            .fixed_buffer = options_.buffer_bytes != 0,
                                            .disk_is_behind = disk_is_behind_,
                                            .splice_skips = channel_->splice_skips()});
  return shelf_.get(choice, [&] {
    SplicePipe pipe;
    if (choice.engine == Engine::Splice) pipe = std::move(pipe_);
    return make_block_receiver(*channel_, choice, std::move(pipe), options_.buffer_bytes);
  });
}

void RecvEngines::use(Channel& channel) {
  shelf_.clear();
  channel_ = &channel;
  pipe_ = make_splice_pipe();
}

PathReport RecvEngines::report() {
  if (shelf_.used().empty()) (void)pick({});
  PathReport out = report_of(shelf_.used(), channel_->tls_form());
  out.tls_why = channel_->tls_why();
  return out;
}

}  // namespace zx
