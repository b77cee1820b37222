// SPDX-License-Identifier: MIT
#include "zrecv/options.h"

#include "common/base/error.h"
#include "common/base/quote.h"

namespace zx {
namespace {

void check_destination(const std::string& destination) {
  if (destination.empty()) throw Error(ExitStatus::Usage, "the destination is an empty name");
  if (destination == "-")
    throw Error(ExitStatus::Usage,
                "'-' (standard output) is not there yet; a file of that name is ./-");
  if (parse_direct(destination) || looks_like_ssh(destination))
    throw Error(ExitStatus::Usage, quote(destination) +
                                       ": the destination is a local path (one with a colon is "
                                       "written ./" +
                                       escape(destination) + ")");
}

}  // namespace

bool parse_recv_options(int argc, const char* const* argv, RecvOptions* out) {
  CLI::App app(
      "Receive files from zsend: verified and committed before it says 0.\n\n"
      "  zrecv [OPTIONS] --listen [HOST:]PORT [DST]\n"
      "  zrecv [OPTIONS] zs://HOST[:PORT][/NAME] DST\n",
      "zrecv");
  app.add_flag("--inplace", out->inplace,
               "write into DST, an existing file or block device, where it is");
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
    if (operands.size() > 1)
      throw Error(ExitStatus::Usage, "--listen takes one destination (see zrecv --help)");
    if (!operands.empty()) out->destination = operands[0];
  } else {
    if (operands.size() != 2)
      throw Error(ExitStatus::Usage,
                  "needs zs://HOST[:PORT][/NAME] and DST, or --listen (see zrecv --help)");
    out->remote = parse_direct(operands[0]);
    if (!out->remote)
      throw Error(ExitStatus::Usage,
                  quote(operands[0]) + (looks_like_ssh(operands[0])
                                            ? ": starting the other side by ssh is not there yet"
                                            : ": the source must be zs://HOST[:PORT][/NAME]"));
    out->destination = operands[1];
  }
  check_destination(out->destination);
  if (out->inplace && out->common.listen && operands.empty())
    throw Error(ExitStatus::Usage, "--inplace needs DST, the file or block device to write into");
  if (out->inplace && out->common.overwrite == Overwrite::Never)
    throw Error(ExitStatus::Usage, "--inplace and --overwrite=never exclude each other");
  return true;
}

}  // namespace zx
