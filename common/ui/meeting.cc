// SPDX-License-Identifier: MIT
#include "common/ui/meeting.h"

#include "common/base/defer.h"
#include "common/base/quote.h"
#include "common/net/tcp.h"

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

std::unique_ptr<Session> meet_directly(const CommonOptions& options,
                                       const std::optional<DirectEndpoint>& remote, Side& side,
                                       const Terms& terms, Console& console) {
  std::string one_time_key;
  const Defer wiper([&] { wipe(one_time_key); });
  const char* program = side.role == Role::Sender ? "zsend" : "zrecv";
  side.security = make_security(options, remote, program, &one_time_key);
  if (options.listen) {
    // The command to paste on the other machine.
    const auto command = [&](uint16_t port) {
      return side.role == Role::Sender ? command_to_paste(options, port, "zrecv", "", " .")
                                       : command_to_paste(options, port, "zsend", "FILE ", "");
    };
    console.invite({options.listen->host, one_time_key, command});
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
  std::string from_environment = take_key_from_environment();  // ssh would inherit it
  wipe(from_environment);
  side.security = basic_security(options);
  side.security.key = Key::generate();
  FirstConnection first =
      start_by_ssh(*remote.ssh, options.ssh, remote.named, options.family, side);
  console.summary().set_via(first.via, first.why);
  return open_session(std::move(first), side, terms);
}

std::unique_ptr<Session> answer(const CommonOptions& options, Side& side, const Terms& terms) {
  FirstConnection first = answer_start(side, /*refuse_plain=*/options.below.has_value());
  return open_session(std::move(first), side, terms);
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
    // Nobody is asked for the key of a host that is not there; one that may still come is waited
    // for.
    if (!options.wait) (void)numeric_hosts(remote->address.host, options.family);
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
  Side side{role, {}, options.timeout, console};
  auto session = options.started_by_ssh ? answer(options, side, terms)
                 : remote.ssh           ? meet_by_ssh(options, remote, side, terms, console)
                              : meet_directly(options, remote.direct, side, terms, console);
  console.connected(session->link().channel(), session->agreed().build);
  return session;
}

}  // namespace zx
