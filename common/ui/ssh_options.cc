// SPDX-License-Identifier: MIT
// The options about ssh; declared in common_options.h.
#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/ui/common_options.h"

namespace zx {

void add_ssh_options(CLI::App& app, CommonOptions* o) {
  const auto asked = [o](const std::string&) { o->ssh_asked = true; };
  auto& arguments = o->ssh.ssh.arguments;
  app.add_option_function<std::string>(
         "-P",
         [&arguments](const std::string& value) {
           const PortRange port = parse_port_range(value);
           if (port.first != port.last)
             throw Error(ExitStatus::Usage, "-P " + escape(value) + ": one port of ssh");
           arguments.insert(arguments.end(), {"-p", std::to_string(port.first)});
         },
         "ssh's port")
      ->type_name("PORT")
      ->each(asked);
  // An option that ssh has too: handed on as it is, each time it is given.
  const auto hand_on = [&](const std::string& name, const char* type, const std::string& help) {
    app.add_option_function<std::string>(
           name,
           [name, &arguments](const std::string& value) {
             arguments.insert(arguments.end(), {name, value});
           },
           help)
        ->type_name(type)
        ->trigger_on_parse()
        ->each(asked);
  };
  hand_on("-i", "FILE", "ssh's identity file");
  hand_on("-F", "FILE", "ssh's configuration file");
  hand_on("-J", "HOST", "ssh's jump hosts");
  hand_on("-o", "OPTION", "an option for ssh, as in ssh_config(5)");
  app.add_option("-S", o->ssh.ssh.program, "the program to use as ssh")
      ->type_name("PROGRAM")
      ->each(asked);
  app.add_option_function<std::string>(
         "--remote-program",
         [o](const std::string& value) {
           if (escape(value) != value || value.starts_with('-'))
             throw Error(ExitStatus::Usage,
                         "--remote-program " + escape(value) + ": not the path of a program");
           o->ssh.remote_program = value;
         },
         "the other program's path at the other end")
      ->type_name("PROGRAM")
      ->each(asked);
  app.add_option_function<std::string>(
         "--port-range", [o](const std::string& value) { o->ssh.ports = parse_port_range(value); },
         "with ssh: ports for the data (any)")
      ->type_name("A-B")
      ->each(asked);
  app.add_option("--below", o->below, "in a forced command, with --remote: serve DIR and no more")
      ->type_name("DIR");
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

}  // namespace zx
