// SPDX-License-Identifier: MIT
// What zsend was asked to do. Filled once by parse_send_options(), const afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/net/endpoint.h"
#include "common/ui/common_options.h"

namespace zx {

struct SendOptions {
  CommonOptions common;
  std::vector<std::string> sources;  // local paths; none with --remote, whose peer names them
  // Where to; neither with --listen and --remote.
  std::optional<DirectEndpoint> remote;
  std::optional<SshEndpoint> ssh;
};

/// Throws Error{Usage}. False when --help or --version was answered.
bool parse_send_options(int argc, const char* const* argv, SendOptions* out);

}  // namespace zx
