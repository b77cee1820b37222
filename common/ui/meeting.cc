// SPDX-License-Identifier: MIT
#include "common/ui/meeting.h"

#include "common/base/defer.h"

namespace zx {
namespace {

// Through ssh there is one connection.
Terms without_streams(Terms terms) {
  terms.streams = 1;
  return terms;
}

Session meet_by_ssh(const CommonOptions& options, const Remote& remote, Role role,
                    const Terms& terms, Console& console) {
  const Security security = make_ssh_security(options);
  const SshTold told{[&](const std::string& line) { console.note("ssh: " + line); },
                     [&](const std::string& text) { console.detail(text); }};
  SshMet started = start_by_ssh(*remote.ssh, options.ssh, remote.named, options.family,
                                options.timeout, role, security, told);
  const std::string way = started.via;
  console.summary().set_via(way, started.why);
  Session session(std::move(started.met), role, security);
  session.exchange_terms(way == "ssh" ? without_streams(terms) : terms);
  return session;
}

Session answer(Role role, const Terms& terms) {
  StartedRemote started = answer_start(role);
  Session session(std::move(started.met), role, started.security);
  session.exchange_terms(started.through_ssh ? without_streams(terms) : terms);
  return session;
}

Session meet_directly(const CommonOptions& options, const std::optional<DirectEndpoint>& remote,
                      Role role, const Terms& terms, const PasteCommandFn& paste_command,
                      Console& console) {
  std::string one_time_key;
  const Defer wiper([&] { wipe(one_time_key); });
  const char* program = role == Role::Sender ? "zsend" : "zrecv";
  const Security security = make_security(options, remote, program, &one_time_key);
  return open_session(make_rendezvous(options, remote), role, security, terms, [&](uint16_t port) {
    console.listening(options.listen->host, port, one_time_key, paste_command(port));
  });
}

}  // namespace

Session meet_peer(const CommonOptions& options, const Remote& remote, Role role, const Terms& terms,
                  const PasteCommandFn& paste_command, Console& console) {
  Session session =
      options.remote ? answer(role, terms)
      : remote.ssh   ? meet_by_ssh(options, remote, role, terms, console)
                     : meet_directly(options, remote.direct, role, terms, paste_command, console);
  console.connected(session.link().channel(), session.agreed().peer_build);
  return session;
}

}  // namespace zx
