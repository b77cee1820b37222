// SPDX-License-Identifier: MIT
#include "common/ui/meeting.h"

#include "common/base/defer.h"

namespace zx {
namespace {

std::unique_ptr<Session> meet_directly(const CommonOptions& options,
                                       const std::optional<DirectEndpoint>& remote, Side& side,
                                       const Terms& terms, const PasteCommandFn& paste_command,
                                       Console& console) {
  std::string one_time_key;
  const Defer wiper([&] { wipe(one_time_key); });
  const char* program = side.role == Role::Sender ? "zsend" : "zrecv";
  side.security = make_security(options, remote, program, &one_time_key);
  if (options.listen) {
    console.invite({options.listen->host, one_time_key, paste_command});
    return open_session(listen_first(*options.listen, options.family, options.wait, side), side,
                        terms);
  }
  const auto give_up = Clock::now() + options.timeout;
  const auto wait = options.wait.value_or(std::chrono::seconds(0));
  for (;;) {
    FirstConnection first = connect_first(remote->address, options.family, wait, side);
    try {
      return open_session(std::move(first), side, terms);
    } catch (const Error& error) {
      // Who is lost before both sides have agreed begins anew; a listener has waited for that.
      if (!is_lost_connection(error) || Clock::now() >= give_up) throw;
      console.detail(std::string(error.what()) + "; lost before both sides had agreed");
    }
  }
}

std::unique_ptr<Session> meet_by_ssh(const CommonOptions& options, const Remote& remote, Side& side,
                                     const Terms& terms, Console& console) {
  side.security = make_ssh_security(options);
  FirstConnection first =
      start_by_ssh(*remote.ssh, options.ssh, remote.named, options.family, side);
  console.summary().set_via(first.via, first.why);
  return open_session(std::move(first), side, terms);
}

std::unique_ptr<Session> answer(Side& side, const Terms& terms) {
  FirstConnection first = answer_start(side);
  return open_session(std::move(first), side, terms);
}

}  // namespace

std::unique_ptr<Session> meet_peer(const CommonOptions& options, const Remote& remote, Role role,
                                   const Terms& terms, const PasteCommandFn& paste_command,
                                   Console& console) {
  Side side{role, {}, options.timeout, console};
  auto session = options.started_by_ssh ? answer(side, terms)
                 : remote.ssh
                     ? meet_by_ssh(options, remote, side, terms, console)
                     : meet_directly(options, remote.direct, side, terms, paste_command, console);
  console.connected(session->link().channel(), session->agreed().build);
  return session;
}

}  // namespace zx
