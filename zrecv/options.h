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
  std::string destination = ".";    // local path, when it is no pipe; the peer's with --remote
  bool to_stdout = false;           // the destination '-'
  bool inplace = false;             // --inplace: it is written where it is
  std::optional<std::string> exec;  // --exec
  bool verify_first = false;        // --verify-first
  bool no_links = false;            // --no-links: refuse symbolic ones
  // Where from; neither with --listen and --remote.
  std::optional<DirectEndpoint> direct;
  std::optional<SshEndpoint> ssh;
  std::vector<std::string> ssh_paths;  // what, on that host

  bool to_pipe() const { return to_stdout || exec; }
};

/// Throws Error{Usage}. False when --help or --version was answered.
bool parse_recv_options(int argc, const char* const* argv, RecvOptions* out);

}  // namespace zx
