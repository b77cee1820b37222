// SPDX-License-Identifier: MIT
// Start of the other program by ssh, both ends, up to an authenticated first connection. Three ways
// for the data, in this order: this side connects to a port of the other's, the other connects to
// one of ours, the ssh channel itself. The key is made by the side that asks and travels over ssh;
// whoever answers on a port has to prove that he has it, so a wrong host only costs time.
#pragma once

#include <string>

#include "common/base/error.h"
#include "common/net/ssh.h"
#include "common/session/session.h"
#include "common/session/start_dialogue.h"

namespace zx {

/// --via. Direct: a connection of its own, made by either side. Ssh: through the channel at once.
/// Auto: that after those.
enum class Via { Auto, Direct, Ssh };

/// What --remote-program, --via, --port-range and ssh's own options say.
struct SshStart {
  SshOptions ssh;
  std::string remote_program;  // "": zsend or zrecv, found by the remote shell
  Via via = Via::Auto;
  PortRange ports;
};

/// Connects by `end` and authenticates. Blocking. Throws as connect_to() and the handshake do.
FirstConnection connect_once(const HostPort& address, Family family, Clock::time_point end,
                             const Side& side);

/// Why an address was of no use, with the address once: not every error about a connection has it.
std::string with_address(const HostPort& address, const Error& error);

/// Starts the other program and meets it. side.security has a new key. Blocking, up to twice the
/// time-out for ssh's and the program's start (passwords are typed meanwhile) and some seconds a
/// way. Throws Error{Network}: ssh failed, the program is not there, no way was left;
/// Error{Protocol}: another version, no answer; Error{Timeout}; what the other program reports.
FirstConnection start_by_ssh(const SshEndpoint& endpoint, const SshStart& start, const Named& named,
                             Family family, const Side& side);

/// The other end: --remote, with the dialogue on standard input and output, which it takes over.
/// Security and time-out of `side` come from there. What fails before the session is reported
/// there. refuse_plain: for who may not have whatever the user here may, a connection that others
/// can change is not good enough. Blocking. Throws Error, too.
FirstConnection answer_start(Side& side, bool refuse_plain);

}  // namespace zx
