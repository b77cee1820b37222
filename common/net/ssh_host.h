// SPDX-License-Identifier: MIT
// Where ssh goes: the addresses of the host that an operand means, after the aliases of ssh's
// configuration. Found beside the start of ssh itself, which takes longer.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "common/net/ssh.h"
#include "common/net/tcp.h"

namespace zx {

class SshHostFinder {
 public:
  /// Begins: `ssh -G` with these options, then the look-up. On a thread of its own that nobody
  /// waits for at the end: a name server may be slow.
  SshHostFinder(const SshOptions& ssh, const SshEndpoint& endpoint, Family family);

  /// Numeric; none when nothing is known within `limit`. Blocking.
  std::vector<std::string> addresses(std::chrono::milliseconds limit) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace zx
