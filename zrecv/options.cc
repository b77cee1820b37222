// SPDX-License-Identifier: MIT
#include "zrecv/options.h"

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/wire/limits.h"

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

// One session fetches them all, so they are of one host.
void take_ssh_sources(const std::vector<std::string>& operands, RecvOptions* out) {
  if (operands.size() > kMaxPathComponents)
    throw Error(ExitStatus::Usage, "more than " + std::to_string(kMaxPathComponents) + " sources");
  size_t bytes = 0;
  for (const std::string& operand : operands) {
    const auto source = parse_ssh(operand);
    if (!source)
      throw Error(
          ExitStatus::Usage,
          quote(operand) + ": a source must be [USER@]HOST:PATH, or the only one zs://HOST[:PORT]");
    if (!out->ssh) out->ssh = source;
    if (ssh_destination(*source) != ssh_destination(*out->ssh) || source->port != out->ssh->port)
      throw Error(ExitStatus::Usage, quote(operand) + ": all sources must be of one host");
    const std::string name = base_name(source->path);
    if (name.empty() || name == "." || name == "..")
      throw Error(ExitStatus::Usage, quote(operand) + ": not the name of a file");
    check_component(name);
    bytes += source->path.size();
    out->ssh_paths.push_back(source->path);
  }
  if (bytes > kMaxPathBytes) throw Error(ExitStatus::Usage, "the sources' paths are over 64 KiB");
}

}  // namespace

bool parse_recv_options(int argc, const char* const* argv, RecvOptions* out) {
  CLI::App app(
      "Receive files from zsend: verified and committed before it says 0.\n\n"
      "  zrecv [OPTIONS] [USER@]HOST:PATH... DST       starts zsend there by ssh\n"
      "  zrecv [OPTIONS] --listen [HOST:]PORT [DST]\n"
      "  zrecv [OPTIONS] zs://HOST[:PORT][/NAME] DST   from a zsend that waits there\n",
      "zrecv");
  if (!parse_common_options(app, argc, argv,
                            {{"splice", Engine::Splice},
                             {"readwrite", Engine::ReadWrite},
                             {"direct", Engine::Direct}},
                            &out->common))
    return false;
  if (out->common.new_key && (out->common.listen || !out->common.operands.empty()))
    throw Error(ExitStatus::Usage, "--new-key only makes a key; it goes with nothing else");
  if (out->common.new_key) return true;

  if (out->common.remote) {
    out->common.console.silent = true;
    return true;
  }
  const std::vector<std::string>& operands = out->common.operands;
  if (out->common.listen) {
    if (operands.size() > 1)
      throw Error(ExitStatus::Usage, "--listen takes one destination (see zrecv --help)");
    if (!operands.empty()) out->destination = operands[0];
  } else {
    if (operands.size() < 2)
      throw Error(ExitStatus::Usage,
                  "needs [USER@]HOST:PATH... or zs://HOST[:PORT][/NAME], and DST, or --listen (see "
                  "zrecv --help)");
    out->destination = operands.back();
    out->remote = parse_direct(operands[0]);
    if (out->remote && operands.size() > 2)
      throw Error(ExitStatus::Usage, "zs:// is one source, with one DST (see zrecv --help)");
    if (!out->remote) take_ssh_sources({operands.begin(), operands.end() - 1}, out);
  }
  check_ssh_use(out->common, out->ssh.has_value());
  check_destination(out->destination);
  return true;
}

}  // namespace zx
