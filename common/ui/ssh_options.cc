// SPDX-License-Identifier: MIT
// The options about ssh; declared in common_options.h.
#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/ui/common_options.h"

namespace zx {
namespace {

template <typename F>
CLI::Option* add_text(CLI::App& app, const std::string& name, CommonOptions* o, F&& take,
                      const std::string& help) {
  return app.add_option_function<std::string>(
      name,
      [=](const std::string& value) {
        take(value);
        o->ssh_asked = true;
      },
      help);
}

// An option that ssh has too: handed on as it is, each time it is given.
void hand_on(CLI::App& app, const std::string& name, const char* type, CommonOptions* o,
             const std::string& help) {
  auto& arguments = o->ssh.ssh.arguments;
  add_text(
      app, name, o,
      [=, &arguments](const std::string& value) {
        arguments.insert(arguments.end(), {name, value});
      },
      help)
      ->type_name(type)
      ->trigger_on_parse();
}

}  // namespace

void add_ssh_options(CLI::App& app, CommonOptions* o) {
  add_text(
      app, "-P", o,
      [=](const std::string& value) {
        const PortRange port = parse_port_range(value);
        if (port.first != port.last)
          throw Error(ExitStatus::Usage, "-P " + escape(value) + ": one port of ssh");
        o->ssh.ssh.arguments.insert(o->ssh.ssh.arguments.end(), {"-p", std::to_string(port.first)});
      },
      "ssh's port")
      ->type_name("PORT");
  hand_on(app, "-i", "FILE", o, "ssh's identity file");
  hand_on(app, "-F", "FILE", o, "ssh's configuration file");
  hand_on(app, "-J", "HOST", o, "ssh's jump hosts");
  hand_on(app, "-o", "OPTION", o, "an option for ssh, as in ssh_config(5)");
  add_text(
      app, "-S", o, [=](const std::string& value) { o->ssh.ssh.program = value; },
      "the program to use as ssh")
      ->type_name("PROGRAM");
  add_text(
      app, "--remote-program", o,
      [=](const std::string& value) {
        if (escape(value) != value || value.starts_with('-'))
          throw Error(ExitStatus::Usage,
                      "--remote-program " + escape(value) + ": not the path of a program");
        o->ssh.remote_program = value;
      },
      "the other program's path at the other end")
      ->type_name("PROGRAM");
  add_text(
      app, "--port-range", o,
      [=](const std::string& value) { o->ssh.ports = parse_port_range(value); },
      "with ssh: ports for the data (any)")
      ->type_name("A-B");
  add_text(
      app, "--via", o,
      [=](const std::string& value) {
        if (value != "auto" && value != "direct" && value != "ssh")
          throw Error(ExitStatus::Usage, "--via=" + escape(value) + ": not one of auto|direct|ssh");
        o->ssh.via = value == "direct" ? Via::Direct : value == "ssh" ? Via::Ssh : Via::Auto;
      },
      "with ssh: a connection of its own for the data, or ssh's (auto: if need be)")
      ->type_name("auto|direct|ssh");
  app.add_flag("--remote", o->started_by_ssh)->group("");  // what ssh starts
}

void check_ssh_use(const CommonOptions& o, bool ssh_operand) {
  const auto conflict = [](const std::string& text) { throw Error(ExitStatus::Usage, text); };
  if (!ssh_operand) {
    if (o.ssh_asked) conflict("the options for ssh go only with [USER@]HOST:PATH");
    return;
  }
  if (o.no_auth) conflict("--no-auth does not go with ssh, which carries a new key");
  if (o.key_file) conflict("--key-file does not go with ssh, which carries a new key");
  if (o.certificates) conflict("--tls-cert does not go with ssh, which carries a new key");
  if (o.wait) conflict("--wait does not go with ssh, which starts the other side");
}

Security make_ssh_security(const CommonOptions& options) {
  std::string from_environment = take_key_from_environment();
  wipe(from_environment);
  Security security = basic_security(options);
  security.key = Key::generate();
  return security;
}

}  // namespace zx
