// SPDX-License-Identifier: MIT
#include "common/ui/meeting.h"

#include "common/base/defer.h"

namespace zx {
namespace {

std::unique_ptr<Session> meet_by_ssh(const CommonOptions& options, const Remote& remote, Role role,
                                     const Terms& terms, Console& console) {
  const Security security = make_ssh_security(options);
  SshMet started = start_by_ssh(*remote.ssh, options.ssh, remote.named, options.family,
                                options.timeout, role, security, console);
  console.summary().set_via(started.via, started.why);
  return open_session(std::move(started.first), role, security, options.timeout, terms, console);
}

std::unique_ptr<Session> answer(Role role, const Terms& terms, Console& console) {
  StartedRemote started = answer_start(role, console);
  return open_session(std::move(started.first), role, started.security, started.idle, terms,
                      console);
}

std::unique_ptr<Session> meet_directly(const CommonOptions& options,
                                       const std::optional<DirectEndpoint>& remote, Role role,
                                       const Terms& terms, const PasteCommandFn& paste_command,
                                       Console& console) {
  std::string one_time_key;
  const Defer wiper([&] { wipe(one_time_key); });
  const char* program = role == Role::Sender ? "zsend" : "zrecv";
  const Security security = make_security(options, remote, program, &one_time_key);
  if (options.listen) console.invite({options.listen->host, one_time_key, paste_command});
  const auto give_up = Clock::now() + options.timeout;
  for (;;) {
    FirstConnection first = meet(make_rendezvous(options, remote), role, security, console);
    const bool connector = first.connector;
    try {
      return open_session(std::move(first), role, security, options.timeout, terms, console);
    } catch (const Error& error) {
      // Who is lost before both sides have agreed begins anew; a listener has waited for that.
      if (!connector || !is_lost_connection(error) || Clock::now() >= give_up) throw;
      console.detail(std::string(error.what()) + "; lost before both sides had agreed");
    }
  }
}

}  // namespace

std::unique_ptr<Session> meet_peer(const CommonOptions& options, const Remote& remote, Role role,
                                   const Terms& terms, const PasteCommandFn& paste_command,
                                   Console& console) {
  auto session = options.started_by_ssh ? answer(role, terms, console)
                 : remote.ssh
                     ? meet_by_ssh(options, remote, role, terms, console)
                     : meet_directly(options, remote.direct, role, terms, paste_command, console);
  console.connected(session->link().channel(), session->agreed().peer_build);
  return session;
}

}  // namespace zx
