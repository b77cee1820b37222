// SPDX-License-Identifier: MIT
#include "zrecv/options.h"

#include "common/base/command.h"
#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

void check_destination(const std::string& destination) {
  if (destination.empty()) throw Error(ExitStatus::Usage, "the destination is an empty name");
  if (parse_direct(destination) || looks_like_ssh(destination))
    throw Error(ExitStatus::Usage, quote(destination) +
                                       ": the destination is a local path (one with a colon is "
                                       "written ./" +
                                       escape(destination) + ")");
}

// What says something about files means nothing for a pipe.
void check_pipe(const RecvOptions& o) {
  const auto conflict = [](const std::string& text) { throw Error(ExitStatus::Usage, text); };
  if (!o.to_pipe()) {
    if (o.verify_first) conflict("--verify-first goes only with '-' or --exec");
    return;
  }
  const CommonOptions& c = o.common;
  const std::string pipe = o.exec ? "--exec" : "'-'";
  if (o.to_stdout && (c.console.json == "-" || c.console.digest == "-"))
    conflict("with '-' standard output carries the data: --json=FILE, --digest=FILE");
  if (c.no_target_directory) conflict("-T and " + pipe + " exclude each other");
  if (c.mkdir) conflict("--mkdir and " + pipe + " exclude each other");
  if (c.dry_run) conflict("-n and " + pipe + " exclude each other");
  if (c.archive) conflict("-a and " + pipe + " exclude each other");
  if (c.verify_disk) conflict("--verify=disk and " + pipe + " exclude each other");
  if (o.no_links) conflict("--no-links and " + pipe + " exclude each other");
  if (c.recursive) conflict("-r and " + pipe + " exclude each other");
  if (c.preserve) conflict("-p and " + pipe + " exclude each other");
  if (c.overwrite != Overwrite::Unset) conflict("--overwrite and " + pipe + " exclude each other");
  if (c.durability != Durability::Unset && c.durability != Durability::None)
    conflict("what " + pipe + " takes cannot be durable: only --durability=none");
}

void check_inplace(const RecvOptions& o) {
  const auto conflict = [](const std::string& text) { throw Error(ExitStatus::Usage, text); };
  if (!o.inplace) return;
  if (o.to_pipe()) conflict("--inplace goes with neither '-' nor --exec");
  if (o.common.archive) conflict("--inplace and -a exclude each other");
  if (o.common.recursive) conflict("--inplace and -r exclude each other");
  if (o.no_links) conflict("--inplace and --no-links exclude each other");
  if (o.common.mkdir) conflict("--inplace and --mkdir exclude each other");
  if (o.common.dry_run) conflict("--inplace and -n exclude each other");
  if (o.common.listen && o.common.operands.empty())
    conflict("--inplace needs DST, the file or block device to write into");
  if (o.common.overwrite == Overwrite::Never || o.common.overwrite == Overwrite::Skip)
    conflict("--inplace writes into what exists: not with --overwrite=never or =skip");
}

// It is the sender who keeps to it, so it goes there.
void check_filter(const RecvOptions& o) {
  const CommonOptions& c = o.common;
  if (c.dereference && !o.ssh)
    throw Error(ExitStatus::Usage,
                "-L goes only with HOST:PATH; without ssh the zsend there says it");
  if (!fits(c.filter))
    throw Error(ExitStatus::Usage, "--exclude and --include: more than " +
                                       std::to_string(kMaxFilterRules) + " patterns or 48 KiB");
}

// One session fetches them all, so they are of one host.
void take_ssh_sources(const std::vector<std::string>& operands, RecvOptions* out) {
  if (operands.size() > kMaxPathComponents)
    throw Error(ExitStatus::Usage, "more than " + std::to_string(kMaxPathComponents) + " sources");
  size_t bytes = 0;
  std::string bad;  // all of them at once: who has to correct a command line does it once
  for (const std::string& operand : operands) {
    const auto source = parse_ssh(operand);
    if (!source) {
      bad += (bad.empty() ? "" : ", ") + quote(operand);
      continue;
    }
    if (!out->ssh) out->ssh = source;
    if (ssh_destination(*source) != ssh_destination(*out->ssh) || source->port != out->ssh->port)
      throw Error(ExitStatus::Usage, quote(operand) + ": all sources must be of one host");
    const std::string name = base_name(source->path);
    // With -r what is below it.
    const bool unnamed = name.empty() || name == "." || name == "..";
    if (unnamed && !out->common.recursive)
      throw Error(ExitStatus::Usage, quote(operand) + ": not the name of a file");
    if (!unnamed) check_component(name);
    bytes += source->path.size();
    out->ssh_paths.push_back(source->path);
    if (const std::string remark = port_remark(*source); !remark.empty())
      out->common.console.notes.push_back(remark);
  }
  if (!bad.empty())
    throw Error(ExitStatus::Usage,
                bad + ": a source must be [USER@]HOST:PATH, or the only one zs://HOST[:PORT]");
  if (bytes > kMaxPathBytes) throw Error(ExitStatus::Usage, "the sources' paths are over 64 KiB");
}

}  // namespace

bool parse_recv_options(int argc, const char* const* argv, RecvOptions* out) {
  CLI::App app(
      "Receive files from zsend: verified and committed before it says 0.\n\n"
      "  zrecv [OPTIONS] [USER@]HOST:PATH... DST       starts zsend there by ssh\n"
      "  zrecv [OPTIONS] --listen [HOST:]PORT [DST]\n"
      "  zrecv [OPTIONS] zs://HOST[:PORT][/NAME] DST   from a zsend that waits there\n"
      "  DST '-' is standard output; --exec CMD stands in the place of DST\n",
      "zrecv");
  app.footer(
      "Examples:\n"
      "  zrecv backup:/srv/big.iso .                     by ssh\n"
      "  zrecv --listen 7717 /srv/incoming               for zsend FILE zs://HERE:7717\n"
      "  zrecv --listen 7717 --exec 'tar x'              for zsend --exec 'tar c DIR' "
      "zs://HERE:7717\n"
      "More: man zrecv, man zsend-transfer");
  app.add_option("--exec", out->exec, "give the content to this shell command, in place of DST")
      ->type_name("CMD");
  app.add_flag("--inplace", out->inplace,
               "write into DST, an existing file or block device, where it is");
  app.add_flag("--verify-first", out->verify_first,
               "with '-' or --exec: hold everything back until all of it is verified");
  app.add_flag("--no-links", out->no_links, "refuse symbolic links that are sent");
  if (!parse_common_options(app, argc, argv,
                            {{"splice", Engine::Splice},
                             {"readwrite", Engine::ReadWrite},
                             {"direct", Engine::Direct}},
                            &out->common))
    return false;
  if (out->common.new_key || out->common.started_by_ssh) return true;  // nothing else was given

  const std::vector<std::string>& operands = out->common.operands;
  if (out->common.listen) {
    if (out->exec && !operands.empty())
      throw Error(ExitStatus::Usage, "--exec stands in the place of the destination");
    if (operands.size() > 1)
      throw Error(ExitStatus::Usage, "--listen takes one destination (see zrecv --help)");
    if (!operands.empty()) out->destination = operands[0];
  } else {
    if (operands.size() < (out->exec ? 1 : 2))
      throw Error(ExitStatus::Usage,
                  "needs [USER@]HOST:PATH... or zs://HOST[:PORT][/NAME], and DST, or --listen (see "
                  "zrecv --help)");
    if (!out->exec) out->destination = operands.back();
    const auto remote = [](const std::string& o) { return parse_direct(o) || looks_like_ssh(o); };
    if (!out->exec && remote(operands.back()) && !remote(operands[0])) {
      std::string command = "zsend";
      for (const std::string& operand : operands) command += " " + shell_word(operand);
      throw Error(
          ExitStatus::Usage,
          quote(operands.back()) + " is on another machine, to where zsend sends: " + command);
    }
    out->direct = parse_direct(operands[0]);
    const size_t sources = operands.size() - (out->exec ? 0 : 1);
    if (out->direct && sources > 1)
      throw Error(ExitStatus::Usage, "zs:// is one source, with one DST (see zrecv --help)");
    if (!out->direct)
      take_ssh_sources({operands.begin(), operands.begin() + static_cast<ptrdiff_t>(sources)}, out);
  }
  check_ssh_use(out->common, out->ssh.has_value());
  out->to_stdout = !out->exec && out->destination == "-";
  check_destination(out->destination);
  check_pipe(*out);
  check_inplace(*out);
  check_filter(*out);
  const std::string remark = out->exec ? Command::remark(*out->exec) : "";
  if (!remark.empty()) out->common.console.notes.push_back(remark);
  return true;
}

}  // namespace zx
