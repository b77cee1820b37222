// SPDX-License-Identifier: MIT
#include "zsend/options.h"

#include <algorithm>

#include "common/base/command.h"
#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/ui/units.h"

namespace zx {
namespace {

// All of them at once: who has to correct a command line does it once.
void check_sources(const std::vector<std::string>& sources) {
  std::string remote;
  for (const std::string& source : sources)
    if (source != kStandardInput && (parse_direct(source) || looks_like_ssh(source)))
      remote += (remote.empty() ? "" : ", ") + quote(source);
  if (!remote.empty())
    throw Error(ExitStatus::Usage,
                remote + ": a source is a local file (one with a colon is written ./NAME)");
}

// A command line for zrecv, or what to do instead.
[[noreturn]] void refuse_destination(const std::vector<std::string>& operands) {
  const std::string& destination = operands.back();
  if (parse_direct(operands[0]) || looks_like_ssh(operands[0])) {
    std::string command = "zrecv";
    for (const std::string& operand : operands) command += " " + shell_word(operand);
    throw Error(
        ExitStatus::Usage,
        quote(operands[0]) + " is on another machine, from where zrecv fetches: " + command);
  }
  throw Error(
      ExitStatus::Usage,
      quote(destination) + ": the destination must be [USER@]HOST:PATH or zs://HOST[:PORT][/PATH]");
}

void check_name(const std::string& name) {
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw Error(ExitStatus::Usage, "--name " + quote(name) + ": not the name of a file");
  check_component(name);
}

// What --exec, --name and --size have to do with each other and with the sources.
void check_pipe(const SendOptions& o, const std::string& size) {
  const auto pipes = std::ranges::count(o.sources, kStandardInput);
  if (pipes > 1) throw Error(ExitStatus::Usage, "'-' (standard input) can be sent only once");
  if (o.exec && o.exec->empty()) throw Error(ExitStatus::Usage, "--exec: an empty command");
  if (o.exec && !o.sources.empty())
    throw Error(ExitStatus::Usage,
                "--exec is the only source; " + quote(o.sources[0]) + " cannot be sent besides");
  if (!o.exec && pipes == 0 && (o.name || !size.empty()))
    throw Error(ExitStatus::Usage, "--name and --size are for '-' (standard input) or --exec only");
  if (o.common.dry_run && (o.exec || pipes > 0))
    throw Error(ExitStatus::Usage, "-n goes with files, not with '-' or --exec");
  if (o.name) check_name(*o.name);
}

// It names what of one directory is sent.
void check_list(const SendOptions& o) {
  const auto refuse = [](const char* why) { throw Error(ExitStatus::Usage, why); };
  if (!o.files_from) {
    if (o.from0) refuse("--from0 goes only with --files-from");
    return;
  }
  if (o.common.deletes) refuse("--delete and --files-from exclude each other");
  if (o.exec || o.sources.size() != 1 || o.sources[0] == kStandardInput)
    refuse("--files-from needs one SRC, the directory that its names are below");
}

// The receiver has to know what is left out, so that it stays.
void check_delete(const SendOptions& o) {
  if (o.common.deletes && !fits(o.common.filter))
    throw Error(ExitStatus::Usage, "--delete: more than " + std::to_string(kMaxFilterRules) +
                                       " patterns or 48 KiB of them");
}

// What would be done without a word, and is perhaps not meant.
void add_notes(const SendOptions& o, std::vector<std::string>* notes) {
  const auto add = [&](const std::string& text) {
    if (!text.empty()) notes->push_back(text);
  };
  if (o.exec) add(Command::remark(*o.exec));
  if (!o.ssh) return;
  add(port_remark(*o.ssh));
  const bool pipe = o.exec || std::ranges::count(o.sources, kStandardInput) > 0;
  if (pipe && !o.name && (o.ssh->path == "." || o.ssh->path.ends_with('/')))
    add("what comes is called 'stdin' there; --name NAME gives it a name");
}

}  // namespace

bool parse_send_options(int argc, const char* const* argv, SendOptions* out) {
  CLI::App app(
      "Send files to zrecv: encrypted, verified, committed before it says 0.\n\n"
      "  zsend [OPTIONS] SRC... [USER@]HOST:PATH          starts zrecv there by ssh\n"
      "  zsend [OPTIONS] SRC... zs://HOST[:PORT][/PATH]   to a zrecv that waits there\n"
      "  zsend [OPTIONS] --listen [HOST:]PORT SRC...\n\n"
      "SRC may be '-', standard input; --exec CMD in place of SRC sends what a command writes.\n",
      "zsend");
  app.footer(
      "Examples:\n"
      "  zsend big.iso backup:/srv/                              by ssh\n"
      "  zsend -r -p photos backup:                              a directory\n"
      "  zsend *.mkv zs://there:7717            to zrecv --listen 7717 DIR there\n"
      "More: man zsend, man zsend-transfer");
  std::string size;
  app.add_option("--exec", out->exec, "send what this shell command writes; it must end with 0")
      ->type_name("CMD");
  app.add_option("--name", out->name, "the name of what - or --exec gives (stdin)")
      ->type_name("NAME");
  app.add_option("--size", size, "how much - or --exec will give, for progress only")
      ->type_name("SIZE");
  app.add_option("--files-from", out->files_from,
                 "send only the names in this file (- for standard input), below SRC")
      ->type_name("FILE");
  app.add_flag("--from0", out->from0, "a NUL ends each name of --files-from, not a newline");
  if (!parse_common_options(app, argc, argv,
                            {{"sendfile", Engine::Sendfile},
                             {"splice", Engine::Splice},
                             {"mmap", Engine::Mmap},
                             {"readwrite", Engine::ReadWrite},
                             {"direct", Engine::Direct}},
                            &out->common))
    return false;
  if (out->common.new_key || out->common.started_by_ssh) return true;  // nothing else was given

  out->sources = out->common.operands;
  if (!out->common.listen) {
    if (out->sources.size() < (out->exec ? 1 : 2))
      throw Error(
          ExitStatus::Usage,
          "needs SRC... and [USER@]HOST:PATH or zs://HOST[:PORT][/PATH] (see zsend --help)");
    const std::string destination = out->sources.back();
    out->sources.pop_back();
    out->direct = parse_direct(destination);
    out->ssh = parse_ssh(destination);
    if (!out->direct && !out->ssh) refuse_destination(out->common.operands);
  }
  check_ssh_use(out->common, out->ssh.has_value());
  if (out->sources.empty() && !out->exec)
    throw Error(ExitStatus::Usage, "--listen needs something to send");
  check_sources(out->sources);
  check_list(*out);
  check_delete(*out);
  check_pipe(*out, size);
  if (!size.empty()) {
    const auto bytes = parse_size(size);
    if (!bytes || *bytes > kMaxFileBytes)
      throw Error(ExitStatus::Usage, "--size " + escape(size) + ": a number of bytes, as 10G");
    out->expected_bytes = *bytes;
  }
  add_notes(*out, &out->common.console.notes);
  return true;
}

}  // namespace zx
