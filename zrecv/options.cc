// SPDX-License-Identifier: MIT
#include "zrecv/options.h"

#include "common/base/error.h"
#include "common/base/quote.h"

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

// What says something about files means nothing for a stream.
void check_stream(const RecvOptions& o) {
  const auto conflict = [](const std::string& text) { throw Error(ExitStatus::Usage, text); };
  if (!o.to_stream()) {
    if (o.verify_first) conflict("--verify-first goes only with '-' or --exec");
    return;
  }
  const CommonOptions& c = o.common;
  const std::string stream = o.exec ? "--exec" : "'-'";
  if (o.to_stdout && (c.console.json == "-" || c.console.digest == "-"))
    conflict("with '-' standard output carries the data: --json=FILE, --digest=FILE");
  if (c.no_target_directory) conflict("-T and " + stream + " exclude each other");
  if (c.preserve) conflict("-p and " + stream + " exclude each other");
  if (c.overwrite != Overwrite::Unset)
    conflict("--overwrite and " + stream + " exclude each other");
  if (c.durability != Durability::Unset && c.durability != Durability::None)
    conflict("what " + stream + " takes cannot be durable: only --durability=none");
}

void check_inplace(const RecvOptions& o) {
  const auto conflict = [](const std::string& text) { throw Error(ExitStatus::Usage, text); };
  if (!o.inplace) return;
  if (o.to_stream()) conflict("--inplace goes with neither '-' nor --exec");
  if (o.common.listen && o.common.operands.empty())
    conflict("--inplace needs DST, the file or block device to write into");
  if (o.common.overwrite == Overwrite::Never)
    conflict("--inplace and --overwrite=never exclude each other");
}

}  // namespace

bool parse_recv_options(int argc, const char* const* argv, RecvOptions* out) {
  CLI::App app(
      "Receive files from zsend: verified and committed before it says 0.\n\n"
      "  zrecv [OPTIONS] --listen [HOST:]PORT [DST]\n"
      "  zrecv [OPTIONS] zs://HOST[:PORT][/NAME] DST\n"
      "  DST '-' is standard output; --exec CMD stands in the place of DST\n",
      "zrecv");
  app.add_option("--exec", out->exec, "give the content to this shell command, in place of DST")
      ->type_name("CMD");
  app.add_flag("--inplace", out->inplace,
               "write into DST, an existing file or block device, where it is");
  app.add_flag("--verify-first", out->verify_first,
               "with '-' or --exec: hold everything back until all of it is verified");
  if (!parse_common_options(app, argc, argv,
                            {{"splice", Engine::Splice},
                             {"readwrite", Engine::ReadWrite},
                             {"direct", Engine::Direct}},
                            &out->common))
    return false;
  if (out->common.new_key && (out->common.listen || !out->common.operands.empty()))
    throw Error(ExitStatus::Usage, "--new-key only makes a key; it goes with nothing else");
  if (out->common.new_key) return true;

  const std::vector<std::string>& operands = out->common.operands;
  if (out->common.listen) {
    if (out->exec && !operands.empty())
      throw Error(ExitStatus::Usage, "--exec stands in the place of the destination");
    if (operands.size() > 1)
      throw Error(ExitStatus::Usage, "--listen takes one destination (see zrecv --help)");
    if (!operands.empty()) out->destination = operands[0];
  } else {
    if (out->exec && operands.size() != 1)
      throw Error(ExitStatus::Usage,
                  "with --exec needs zs://HOST[:PORT][/NAME] and no destination");
    if (!out->exec && operands.size() != 2)
      throw Error(ExitStatus::Usage,
                  "needs zs://HOST[:PORT][/NAME] and DST, or --listen (see zrecv --help)");
    out->remote = parse_direct(operands[0]);
    if (!out->remote)
      throw Error(ExitStatus::Usage,
                  quote(operands[0]) + (looks_like_ssh(operands[0])
                                            ? ": starting the other side by ssh is not there yet"
                                            : ": the source must be zs://HOST[:PORT][/NAME]"));
    if (!out->exec) out->destination = operands[1];
  }
  out->to_stdout = !out->exec && out->destination == "-";
  check_destination(out->destination);
  check_stream(*out);
  check_inplace(*out);
  return true;
}

}  // namespace zx
