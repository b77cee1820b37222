// SPDX-License-Identifier: MIT
#include "common/engine/policy.h"

namespace zx {
namespace {

constexpr const char* kUserTls = "the TLS record layer is in user space";

// The reason for the buffered path, with a note when something else was asked for.
Choice buffered(std::optional<Engine> asked, const std::string& why) {
  if (asked && *asked != Engine::ReadWrite)
    return {Engine::ReadWrite, std::string(engine_name(*asked)) + " was asked for, but " + why};
  return {Engine::ReadWrite, why};
}

}  // namespace

const char* engine_name(Engine engine) {
  switch (engine) {
    case Engine::Sendfile:
      return "sendfile";
    case Engine::Splice:
      return "splice";
    case Engine::ReadWrite:
      return "readwrite";
  }
  return "?";
}

Choice choose_send_engine(const SendFacts& facts) {
  if (facts.asked == Engine::ReadWrite) return {Engine::ReadWrite, "asked for by --engine"};
  if (!facts.channel_has_descriptor) return buffered(facts.asked, kUserTls);
  return {Engine::Sendfile, ""};
}

Choice choose_recv_engine(const RecvFacts& facts) {
  if (facts.asked == Engine::ReadWrite) return {Engine::ReadWrite, "asked for by --engine"};
  if (!facts.channel_has_descriptor) return buffered(facts.asked, kUserTls);
  if (facts.pipe_bytes < kMinSplicePipeBytes)
    return buffered(facts.asked, "a pipe here holds only " + std::to_string(facts.pipe_bytes) +
                                     " bytes (fs.pipe-user-pages-soft)");
  return {Engine::Splice, ""};
}

}  // namespace zx
