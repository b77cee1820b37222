// SPDX-License-Identifier: MIT
#include "zsend/options.h"

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {
namespace {

void check_source(const std::string& source) {
  if (source.empty()) throw Error(ExitStatus::Usage, "a source is an empty name");
  if (source == "-")
    throw Error(ExitStatus::Usage,
                "'-' (standard input) is not there yet; a file of that name is ./-");
  if (parse_direct(source) || looks_like_ssh(source))
    throw Error(ExitStatus::Usage,
                quote(source) + ": a source is a local file (one with a colon is written ./" +
                    escape(source) + ")");
  const std::string name = base_name(source);
  if (name.empty() || name == "." || name == "..")
    throw Error(ExitStatus::Usage, quote(source) + ": not the name of a file");
  check_component(name);
}

}  // namespace

bool parse_send_options(int argc, const char* const* argv, SendOptions* out) {
  CLI::App app(
      "Send files to zrecv: encrypted, verified, committed before it says 0.\n\n"
      "  zsend [OPTIONS] SRC... [USER@]HOST:PATH          starts zrecv there by ssh\n"
      "  zsend [OPTIONS] SRC... zs://HOST[:PORT][/PATH]   to a zrecv that waits there\n"
      "  zsend [OPTIONS] --listen [HOST:]PORT SRC...\n",
      "zsend");
  if (!parse_common_options(app, argc, argv,
                            {{"sendfile", Engine::Sendfile},
                             {"splice", Engine::Splice},
                             {"mmap", Engine::Mmap},
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
  out->sources = out->common.operands;
  if (!out->common.listen) {
    if (out->sources.size() < 2)
      throw Error(
          ExitStatus::Usage,
          "needs SRC... and [USER@]HOST:PATH or zs://HOST[:PORT][/PATH] (see zsend --help)");
    const std::string destination = out->sources.back();
    out->sources.pop_back();
    out->remote = parse_direct(destination);
    out->ssh = parse_ssh(destination);
    if (!out->remote && !out->ssh)
      throw Error(ExitStatus::Usage,
                  quote(destination) +
                      ": the destination must be [USER@]HOST:PATH or zs://HOST[:PORT][/PATH]");
  }
  check_ssh_use(out->common, out->ssh.has_value());
  if (out->sources.empty()) throw Error(ExitStatus::Usage, "--listen needs something to send");
  if (out->sources.size() > kMaxEntries)
    throw Error(ExitStatus::Usage, "more than " + std::to_string(kMaxEntries) + " sources");
  for (const std::string& source : out->sources) check_source(source);
  return true;
}

}  // namespace zx
