// SPDX-License-Identifier: MIT
// zsend: its story, told by run_send().
#include <algorithm>
#include <thread>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/session/session.h"
#include "common/session/stream_count.h"
#include "common/ui/meeting.h"
#include "common/ui/program.h"
#include "zsend/cursor.h"
#include "zsend/entry_sender.h"
#include "zsend/options.h"

namespace zx {
namespace {

// What the other end shall take from ssh only.
Named name_for_ssh(const SendOptions& options, const SourceCursor& cursor) {
  Named named;
  if (!options.ssh) return named;
  named.operands = {options.ssh->path};
  if (!options.common.plain) return named;
  if (cursor.count() > kMaxPathComponents)
    throw Error(ExitStatus::Usage,
                "--plain with ssh takes up to " + std::to_string(kMaxPathComponents) + " sources");
  named.names = cursor.names();
  if (std::ranges::find(named.names, "") != named.names.end())
    throw Error(ExitStatus::Usage,
                "--plain with ssh takes directories by their names, not as DIR/. or .");
  return named;
}

// What --json and --digest must not overwrite.
std::vector<std::string> files_in_use(const SendOptions& options) {
  std::vector<std::string> files = options.sources;
  if (options.files_from) files.push_back(*options.files_from);
  std::ranges::replace(files, kStandardInput, "/proc/self/fd/0");
  return files;
}

Terms terms_of(const SendOptions& options, const SourceCursor* cursor) {
  Terms terms = make_terms(options.common, "zsend");
  terms.several = cursor != nullptr && cursor->several();
  terms.several_sources = cursor != nullptr && cursor->count() > 1;
  terms.recursive = terms.recursive || options.files_from;  // directories come, whatever is below
  if (fits(options.common.filter)) terms.filter = options.common.filter;
  if (options.direct) {
    terms.path = options.direct->path;
    terms.path_is_directory = options.direct->path_is_directory;
  }
  return terms;
}

// Links lead out of what is offered: whoever offers it follows them, or by ssh the operator, unless
// he is held below a directory.
void check_dereference(const Negotiated& agreed, const CommonOptions& options) {
  if (!agreed.dereference || (options.started_by_ssh && !options.below)) return;
  throw Error(ExitStatus::Refused, "the receiver may not have symbolic links followed here (-L)");
}

// What goes at the other end is for the operator there to say, or by ssh for this one.
void check_deletes(const Negotiated& agreed, const SendOptions& options) {
  if (options.common.deletes && !agreed.deletes_peer && !options.ssh)
    throw Error(
        ExitStatus::Refused,
        "--delete: nothing was sent, for the receiver was not started with it (there: zrecv "
        "--delete -r ...)");
  if (agreed.deletes && !fits(options.common.filter))
    throw Error(ExitStatus::Refused,
                "the receiver deletes what is not sent, and these are more patterns than it can "
                "know");
}

bool has_pipe(const SendOptions& options) {
  return options.exec ||
         std::ranges::find(options.sources, kStandardInput) != options.sources.end();
}

// What the receiver does not want.
Filter filter_of(const Negotiated& agreed) {
  try {
    return Filter(agreed.filter_peer);
  } catch (const Error& error) {
    throw Error(ExitStatus::Protocol, std::string("peer sent a bad filter: ") + error.what());
  }
}

uint16_t streams_for(Session& session, const SourceCursor& cursor) {
  return choose_streams({session.agreed().streams,
                         std::chrono::microseconds(session.link().tcp_figures().rtt_us),
                         std::thread::hardware_concurrency(), cursor.file_bytes(), window_bytes(),
                         session.agreed().rate_limit});
}

// The whole run. Fills the ledger and prints what became of the entries; an Error that ends the
// session is thrown after the peer was told.
ExitStatus run_send(const SendOptions& options, Console& console, Ledger& ledger) {
  // Before anything is read, and before that is kept to itself which goes wrong.
  std::optional<HeldDir> below;
  if (options.common.below) below = HeldDir::open_root(*options.common.below);
  console.configure(options.common.console, files_in_use(options));
  if (options.common.new_key) {
    console.note(make_key_file(*options.common.new_key));
    return ExitStatus::Ok;
  }

  if (options.direct || options.ssh) console.summary().place = options.common.operands.back();

  // 1. Look at the sources: what cannot be read is found before anyone is bothered. A command does
  //    not begin before somebody wants what it gives, and ends with this function at the latest.
  //    Started by ssh, the operator is at the other end, and names them there.
  std::optional<SourceCursor> cursor;
  if (!options.common.started_by_ssh) cursor.emplace(options);

  // 2. Meet the receiver. From here on the peer is who the key says, or --no-auth was on both ends.
  const Named named = cursor ? name_for_ssh(options, *cursor) : Named{};
  const auto session = meet_peer(options.common, {options.direct, options.ssh, named}, Role::Sender,
                                 terms_of(options, cursor ? &*cursor : nullptr), console);

  // 3. Send everything, up to the verdict: what is not committed, over there and durable as agreed,
  //    does not count as sent.
  session->guard([&] {
    const Negotiated& agreed = session->agreed();
    check_dereference(agreed, options.common);
    check_deletes(agreed, options);
    if (agreed.dry_run && has_pipe(options))
      throw Error(ExitStatus::Refused, "the receiver wants a dry run (-n), which takes files only");
    console.summary().dry_run = agreed.dry_run;
    if (!cursor)
      cursor.emplace(agreed.named->operands, WalkRules{agreed.recursive, agreed.dereference},
                     options.common.timeout, std::move(below));
    // A receiver that connects may ask for one of what is offered, by name.
    const bool by_name = options.common.started_by_ssh || !agreed.path.empty();
    if (options.common.listen && !agreed.path.empty()) cursor->keep_only(agreed.path);
    cursor->narrow(filter_of(agreed), agreed.one_file_system, /*sources=*/!by_name);
    const auto total = cursor->total_bytes();
    if (!total) console.no_total();
    console.begin_transfer(total.value_or(0), cursor->has_directories() ? 0 : cursor->count());
    EntrySender sender(*session, *cursor, options.common.engine, streams_for(*session, *cursor),
                       console, ledger);
    console.summary().add(sender.run());
  });

  // 4. Report. Both sides have said the same.
  return console.finish(ledger.status(), "", ledger);
}

}  // namespace
}  // namespace zx

int main(int argc, char** argv) {
  return zx::run_program("zsend", [&](zx::Console& console, zx::Ledger& ledger) {
    zx::SendOptions options;
    if (!zx::parse_send_options(argc, argv, &options)) return zx::ExitStatus::Ok;
    return zx::run_send(options, console, ledger);
  });
}
