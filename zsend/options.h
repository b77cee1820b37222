// SPDX-License-Identifier: MIT
// What zsend was asked to do. Filled once by parse_send_options(), const afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/net/endpoint.h"
#include "common/ui/common_options.h"

namespace zx {

/// The source that is standard input. A file of that name is written ./-
constexpr const char* kStandardInput = "-";

struct SendOptions {
  CommonOptions common;
  std::vector<std::string>
      sources;                      // local paths, "-" for standard input; with --remote the peer's
  std::optional<std::string> exec;  // --exec: a shell command instead of sources
  std::optional<std::string> name;  // --name: what standard input or the command becomes
  uint64_t expected_bytes = 0;      // --size: how much they will give, as a guess; 0: none
  std::optional<std::string> files_from;  // --files-from: only these names below the source
  bool from0 = false;                     // --from0: a NUL ends each of them
  // Where to; neither with --listen and --remote.
  std::optional<DirectEndpoint> direct;
  std::optional<SshEndpoint> ssh;
};

/// Throws Error{Usage}. False when --help or --version was answered.
bool parse_send_options(int argc, const char* const* argv, SendOptions* out);

}  // namespace zx
