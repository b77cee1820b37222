// SPDX-License-Identifier: MIT
#include "common/ui/meeting.h"

namespace zx {

Session meet_peer(const CommonOptions& options, const std::optional<DirectEndpoint>& remote,
                  Role role, const Terms& terms, const PasteCommandFn& paste_command,
                  Console& console) {
  std::string one_time_key;
  const char* program = role == Role::Sender ? "zsend" : "zrecv";
  const Security security = make_security(options, remote, program, &one_time_key);
  Session session =
      open_session(make_rendezvous(options, remote), role, security, terms, [&](uint16_t port) {
        console.listening(options.listen->host, port, one_time_key, paste_command(port));
      });
  wipe(one_time_key);
  console.connected(session.link().channel(), session.agreed().peer_build);
  return session;
}

}  // namespace zx
