// SPDX-License-Identifier: MIT
// What zrecv was asked to do. Filled once by parse_recv_options(), const afterwards.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/net/endpoint.h"
#include "common/ui/common_options.h"

namespace zx {

struct RecvOptions {
  CommonOptions common;
  std::string destination = ".";  // local path; with --remote the peer names it
  // Where from; neither with --listen and --remote.
  std::optional<DirectEndpoint> remote;
  std::optional<SshEndpoint> ssh;
  std::vector<std::string> ssh_paths;  // what, on that host
};

/// Throws Error{Usage}. False when --help or --version was answered.
bool parse_recv_options(int argc, const char* const* argv, RecvOptions* out);

}  // namespace zx
