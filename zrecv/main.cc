// SPDX-License-Identifier: MIT
// zrecv: its story, told by run_recv().
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/session/session.h"
#include "common/ui/meeting.h"
#include "common/ui/program.h"
#include "zrecv/confinement.h"
#include "zrecv/entry_receiver.h"
#include "zrecv/file_destination.h"
#include "zrecv/in_place_destination.h"
#include "zrecv/options.h"
#include "zrecv/pipe_sink.h"

namespace zx {
namespace {

bool is_same_file(const std::string& a, const std::string& b) {
  struct stat one {
  }, other{};
  return stat(a.c_str(), &one) == 0 && stat(b.c_str(), &other) == 0 && one.st_dev == other.st_dev &&
         one.st_ino == other.st_ino;
}

std::unique_ptr<Destination> make_destination(const RecvOptions& options, Console& console) {
  if (options.to_pipe())
    return std::make_unique<PipeDestination>(options.exec, options.verify_first);
  if (options.inplace) {
    auto in_place =
        std::make_unique<InPlaceDestination>(options.destination, options.common.preserve);
    console.explain_failure([file = in_place->file()] { return file->remark(); });
    return in_place;
  }
  auto files = std::make_unique<FileDestination>(
      options.destination, make_terms(options.common, "zrecv"), options.common.listen.has_value());
  const char* home = getenv("HOME");
  if (options.common.listen && (is_same_file(options.destination, "/") ||
                                (home != nullptr && is_same_file(options.destination, home))))
    console.note("warning: the sender may replace any file in " + quote(options.destination) +
                 " and below; a directory of its own is safer");
  return files;
}

// The path of the operator who has started this program from the other end, and is that of both:
// one -p is enough.
std::unique_ptr<Destination> open_named(const Negotiated& agreed, std::optional<HeldDir> below) {
  if (agreed.named->operands.size() != 1)
    throw Error(ExitStatus::Protocol, "the sender named no destination, or several");
  const std::string& path = agreed.named->operands[0];
  try {
    if (below) return std::make_unique<FileDestination>(std::move(*below), path, agreed);
    return std::make_unique<FileDestination>(path, agreed, /*listens=*/false);
  } catch (const Error& error) {
    throw Error(error.status(), error.what() + literal_remark(path));
  }
}

// "dir/." and ".." are what is below it: a directory without a name.
std::vector<std::string> requested_name(const std::string& path) {
  const std::string name = base_name(path);
  return name.empty() || name == "." || name == ".." ? std::vector<std::string>{}
                                                     : std::vector{name};
}

// What a pull has asked for, or the operator of a plain push has named over ssh, each with the name
// it must have; empty when everything is welcome.
RequestedNames requested_names(const RecvOptions& options, const Negotiated& agreed) {
  // Who fetches must have said -r himself: else a file that was asked for could come as a link.
  const bool fetches = options.direct || !options.ssh_paths.empty();
  const bool recursive = fetches ? options.common.recursive : agreed.recursive;
  if (options.direct && !agreed.path.empty())
    return {{agreed.path}, false, recursive, !options.no_links};
  RequestedNames out{{}, true, recursive, !options.no_links};
  for (const std::string& path : options.ssh_paths) out.names.push_back(requested_name(path));
  if (options.common.started_by_ssh)
    for (const std::string& name : agreed.named->names) out.names.push_back({name});
  return out;
}

// Only the operator of this side has anything removed here, who may have started it by ssh.
void check_deletes(const Negotiated& agreed, const CommonOptions& options) {
  if (!agreed.deletes || options.deletes || (options.started_by_ssh && !options.below)) return;
  throw Error(ExitStatus::Refused,
              options.below ? "--delete is refused with --below"
                            : "the sender may not have anything deleted here: zrecv was not "
                              "started with --delete");
}

Terms terms_of(const RecvOptions& options) {
  Terms terms = make_terms(options.common, "zrecv");
  if (options.direct) terms.path = options.direct->path;
  terms.several = options.ssh_paths.size() > 1 || options.common.recursive;
  terms.several_sources = options.ssh_paths.size() > 1;
  terms.to_pipe = options.to_pipe();
  terms.one_file_system = options.common.one_file_system;
  terms.dereference = options.common.dereference;
  terms.filter = options.common.filter;
  if (terms.to_pipe) terms.block_bytes = std::min(terms.block_bytes, kStreamBlockBytes);
  return terms;
}

// The whole run. Fills the ledger and prints what became of the entries; an Error that ends the
// session is thrown after the peer was told.
ExitStatus run_recv(const RecvOptions& options, Console& console, Ledger& ledger) {
  // Before anything is read, and before that is kept to itself which goes wrong.
  std::optional<HeldDir> below;
  if (options.common.below) below = HeldDir::open_root(*options.common.below);
  console.configure(options.common.console,
                    {options.to_stdout ? "/dev/stdout" : options.destination});
  if (options.common.new_key) {
    console.note(make_key_file(*options.common.new_key));
    return ExitStatus::Ok;
  }

  if (!options.to_pipe() && !options.common.started_by_ssh)
    console.summary().place = options.destination;

  // 1. Open the destination: what cannot be written to is found before anyone is bothered. From
  //    here on everything happens below this held directory. Started by ssh, the operator is at the
  //    other end, and names it there.
  std::unique_ptr<Destination> destination;
  if (!options.common.started_by_ssh) destination = make_destination(options, console);

  // 2. Meet the sender. From here on the peer is who the key says, or --no-auth was on both ends.
  const auto session =
      meet_peer(options.common, {options.direct, options.ssh, {options.ssh_paths, {}}},
                Role::Receiver, terms_of(options), console);

  session->guard([&] {
    // 3. Where to. A sender that connected may have named a path below the root; a pull has named
    //    what it wants instead.
    const Negotiated& agreed = session->agreed();
    check_deletes(agreed, options.common);
    if (agreed.dry_run && (options.to_pipe() || options.inplace))
      throw Error(ExitStatus::Refused,
                  "the sender wants a dry run (-n), which goes into files only");
    console.summary().dry_run = agreed.dry_run;
    if (options.common.started_by_ssh) destination = open_named(agreed, std::move(below));
    destination->aim(agreed, /*pull=*/options.direct.has_value());

    //    From here on the kernel helps to keep to it. Not with a command, which would inherit that;
    //    threads that write are started later.
    if (destination->place() >= 0) {
      const std::string why = confine_writing(destination->place(), agreed.archive);
      console.trace(why.empty() ? "writing is confined by Landlock"
                                : "writing is not confined by Landlock: " + why);
    }

    // 4. Receive and commit everything, up to the sender's word that it has heard the verdict.
    console.begin_transfer(0);
    if (agreed.several) console.no_total();  // before all have come
    EntryReceiver receiver(*session, *destination, options.common.engine,
                           requested_names(options, agreed), console, ledger);
    console.summary().add(receiver.run());
    if (const std::string way = destination->path(); !way.empty()) console.detail(way);
  });

  // 5. Report. Both sides have said the same.
  session->link().channel().finish_sending();
  return console.finish(ledger.status(), "", ledger);
}

}  // namespace
}  // namespace zx

int main(int argc, char** argv) {
  return zx::run_program("zrecv", [&](zx::Console& console, zx::Ledger& ledger) {
    zx::RecvOptions options;
    if (!zx::parse_recv_options(argc, argv, &options)) return zx::ExitStatus::Ok;
    return zx::run_recv(options, console, ledger);
  });
}
