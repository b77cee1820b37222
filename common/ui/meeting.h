// SPDX-License-Identifier: MIT
// How both programs meet their peer, as the options say.
#pragma once

#include "common/session/session.h"
#include "common/ui/common_options.h"
#include "common/ui/console.h"

namespace zx {

/// Where the peer is: at most one of them. None: this side listens, or --remote was given.
struct Remote {
  std::optional<DirectEndpoint> direct;  // zs://
  std::optional<SshEndpoint> ssh;        // to be started there
  Named named;                           // with ssh
};

/// What this side insists on, with the key from --key-file, ZXFER_KEY or, for a connector, the
/// terminal; or with certificates. `remote`: whom a connector connects to. A listener without a key
/// gets a new one; *one_time is then its text, else empty. Throws Error{Auth} when a connector has
/// no key, a certificate cannot be used, or --ktls=on is not possible here.
Security make_security(const CommonOptions& options, const std::optional<DirectEndpoint>& remote,
                       const char* program, std::string* one_time);

/// Takes key or certificates, connects or listens (and says so), or starts the peer by ssh, or is
/// the one that was started; authenticates, agrees on terms, and tells of the connection. The key's
/// memory is wiped when it returns; what stays is the key for further connections of this session.
/// Blocking. Throws as make_security(), open_session(), start_by_ssh() and answer_start() do.
std::unique_ptr<Session> meet_peer(const CommonOptions& options, const Remote& remote, Role role,
                                   const Terms& terms, Console& console);

}  // namespace zx
