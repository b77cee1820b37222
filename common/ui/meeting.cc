// SPDX-License-Identifier: MIT
#include "common/ui/meeting.h"

#include "common/base/defer.h"
#include "common/base/quote.h"

namespace zx {
namespace {

// What both ways to meet have in common.
Security basic_security(const CommonOptions& options) {
  Security security;
  security.mode = options.plain ? Mode::Plain : Mode::TlsPsk;
  security.ktls = options.ktls;
  security.key_limit_bytes = options.key_limit_bytes;
  if (!options.plain)
    security.suites = usable_suites(options.suite.value_or(suites_fast_here()), options.ktls);
  return security;
}

std::unique_ptr<Session> meet_by_ssh(const CommonOptions& options, const Remote& remote, Role role,
                                     const Terms& terms, Console& console) {
  std::string from_environment = take_key_from_environment();  // ssh would inherit it
  wipe(from_environment);
  Security security = basic_security(options);
  security.key = Key::generate();
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
                                       const Terms& terms, Console& console) {
  std::string one_time_key;
  const Defer wiper([&] { wipe(one_time_key); });
  const char* program = role == Role::Sender ? "zsend" : "zrecv";
  const Security security = make_security(options, remote, program, &one_time_key);
  // The command to paste on the other machine.
  const auto command = [&options, role](uint16_t port) {
    const std::string here = shell_word("zs://" + to_text({host_to_paste(*options.listen), port}));
    return role == Role::Sender ? "zrecv " + here + " ." : "zsend FILE " + here;
  };
  if (options.listen) console.invite({options.listen->host, one_time_key, command});
  Rendezvous rendezvous;
  if (remote) rendezvous.connect_to = remote->address;
  rendezvous.listen_on = options.listen;
  rendezvous.family = options.family;
  rendezvous.wait = options.wait;
  rendezvous.timeout = options.timeout;
  const auto give_up = Clock::now() + options.timeout;
  for (;;) {
    FirstConnection first = meet(rendezvous, role, security, console);
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

Security make_security(const CommonOptions& options, const std::optional<DirectEndpoint>& remote,
                       const char* program, std::string* one_time) {
  Security security = basic_security(options);
  if (options.certificates) security.mode = Mode::TlsCert;
  security.no_auth = options.no_auth;
  // Taken out of the environment in any case: nothing that is started from here shall see it.
  std::string from_environment = take_key_from_environment();
  const Defer wiper([&] { wipe(from_environment); });
  if (options.no_auth) return security;
  if (options.certificates) {
    check_certificates(*options.certificates);
    security.certificates = options.certificates;
    if (remote) security.host = remote->address.host;
    return security;
  }
  if (options.key_file) {
    security.key = read_key_file(*options.key_file);
  } else if (!from_environment.empty()) {
    security.key = parse_environment_key(from_environment);
  } else if (options.listen) {
    security.key = Key::generate();
    *one_time = security.key->text();
  } else {
    security.key = ask_for_key(program);
    if (!security.key)
      throw Error(
          ExitStatus::Auth,
          "no key: give --key-file FILE, or ZXFER_KEY in the environment (the listening side "
          "prints it)");
  }
  return security;
}

std::unique_ptr<Session> meet_peer(const CommonOptions& options, const Remote& remote, Role role,
                                   const Terms& terms, Console& console) {
  auto session = options.started_by_ssh ? answer(role, terms, console)
                 : remote.ssh           ? meet_by_ssh(options, remote, role, terms, console)
                              : meet_directly(options, remote.direct, role, terms, console);
  console.connected(session->link().channel(), session->agreed().peer_build);
  return session;
}

}  // namespace zx
