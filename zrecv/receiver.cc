// SPDX-License-Identifier: MIT
// The story of zrecv.
#include "zrecv/receiver.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/engine/engine_set.h"
#include "common/file/name.h"
#include "common/session/limit.h"
#include "common/session/session.h"
#include "common/ui/meeting.h"
#include "zrecv/commit.h"
#include "zrecv/destination.h"
#include "zrecv/in_place_sink.h"
#include "zrecv/reception.h"
#include "zrecv/stream_destination.h"

namespace zx {
namespace {

std::string paste_command(const RecvOptions& options, uint16_t port) {
  return "zsend FILE " +
         shell_word("zs://" + to_text({host_to_paste(*options.common.listen), port}));
}

std::unique_ptr<Destination> make_destination(const RecvOptions& options, Console& console) {
  if (options.to_stream())
    return std::make_unique<StreamDestination>(options.exec, options.verify_first);
  if (options.inplace) {
    auto in_place = std::make_unique<InPlaceDestination>(options.destination);
    console.explain_failure([file = in_place->file()] { return file->remark(); });
    return in_place;
  }
  return std::make_unique<FileDestination>(options.destination, options.common.no_target_directory);
}

// What will be committed must be what the sender says it has sent.
void compare(const Fin& fin, const std::vector<std::shared_ptr<EntryWriter>>& complete) {
  DigestSum root;
  uint64_t bytes = 0;
  for (const auto& entry : complete) {
    root.add(entry_part(entry->outcome().id, entry->outcome().bytes, entry->block_sum()));
    bytes += entry->outcome().bytes;
  }
  if (fin.entries != complete.size() || fin.bytes != bytes || fin.root != root.value())
    throw Error(ExitStatus::Integrity, "the sender's totals are not those of what was received");
}

// The path of the operator who has started this program from the other end.
std::unique_ptr<Destination> open_named(const Negotiated& agreed) {
  if (agreed.named->operands.size() != 1)
    throw Error(ExitStatus::Protocol, "the sender named no destination, or several");
  return std::make_unique<FileDestination>(agreed.named->operands[0], agreed.no_target_directory);
}

// What a pull has asked for, or the operator of a plain push has named over ssh, each with the name
// it must have; empty when everything is welcome.
RequestedNames requested_names(const RecvOptions& options, const Negotiated& agreed) {
  if (options.ssh) {
    RequestedNames out;
    out.every_one = true;
    for (const std::string& path : options.ssh_paths) out.names.push_back({base_name(path)});
    return out;
  }
  if (options.common.remote && !agreed.named->names.empty()) {
    RequestedNames out;
    out.every_one = true;
    for (const std::string& name : agreed.named->names) out.names.push_back({name});
    return out;
  }
  if (options.remote && !agreed.path.empty()) return {{agreed.path}, false};
  return {};
}

}  // namespace

ExitStatus run_recv(const RecvOptions& options, Console& console, Ledger& ledger) {
  console.configure(options.common.console,
                    {options.to_stdout ? "/dev/stdout" : options.destination});
  if (options.common.new_key) {
    console.note(make_key_file(*options.common.new_key));
    return ExitStatus::Ok;
  }

  // 1. Open the destination: what cannot be written to is found before anyone is bothered. From
  //    here on everything happens below this held directory. With --remote the operator is at the
  //    other end, and names it in phase 3.
  std::unique_ptr<Destination> destination;
  if (!options.common.remote) destination = make_destination(options, console);

  // 2. Meet the sender. From here on the peer is who the key says, or --no-auth was on both ends.
  Terms terms = make_terms(options.common, "zrecv");
  if (options.remote) terms.path = options.remote->path;
  terms.to_stream = options.to_stream();
  if (terms.to_stream) terms.max_block_bytes = std::min(terms.max_block_bytes, kStreamBlockBytes);
  terms.sources = static_cast<uint32_t>(options.ssh_paths.size());
  Session session = meet_peer(
      options.common, {options.remote, options.ssh, {options.ssh_paths, {}}}, Role::Receiver, terms,
      [&](uint16_t port) { return paste_command(options, port); }, console);
  const Negotiated& agreed = session.agreed();
  Link& link = session.link();
  Summary& summary = console.summary();

  TcpFigures tcp;  // of all connections
  link.guard([&] {
    // 3. Where to. A sender that connected may have named a path below the root; a pull has named
    //    what it wants instead.
    const bool pull = options.remote.has_value();
    if (agreed.sources == 0)
      throw Error(ExitStatus::Protocol, "the sender announced nothing to send");
    if (options.common.remote) destination = open_named(agreed);
    destination->aim(agreed, pull);

    // 4. How bytes move is the policy's choice for each entry, on this connection and on one that
    //    may replace it; nothing else decides that.
    RecvEngines engines(link.channel(), options.common.engine);

    // 5. Receive until FIN. Everything is in its sink, verified block by block: a temporary
    //    file, the file in place, or the spool out of which a stream is handed on meanwhile.
    console.begin_transfer(0);
    const Stopwatch watch;
    Reception reception(session, *destination, engines, requested_names(options, agreed), console,
                        ledger);
    const Fin fin = reception.run();
    const QueueLooks& looks = link.queue_looks();
    SideFigures figures{.moving_us = watch.wall_us(),
                        .cpu_us = watch.cpu_us(),
                        .looks = looks.looks,
                        .backlogs = looks.backlogs};
    if (const StreamSet* further = reception.streams()) {
      summary.streams += further->opened();
      summary.streams_lost = further->lost();
      tcp = further->tcp_figures();
    }
    compare(fin, reception.complete());

    // 6. Commit. Only now do final names appear; heartbeats go out while the disk is slow or a
    //    command goes on.
    const bool keep_modes = options.common.remote ? agreed.preserve : options.common.preserve;
    const CommitPolicy policy{agreed.durability, agreed.preserve, keep_modes, agreed.overwrite_here,
                              agreed.overwrite_peer};
    link.with_heartbeats([&] { commit_entries(reception.complete(), policy); });
    figures.syncing_us = watch.wall_us() - figures.moving_us;
    reception.report_commits();
    const Totals totals = ledger.totals();
    summary.durable = totals.entries > 0 && agreed.durability != Durability::None;

    // 7. Verdict, and the sender's word that it has heard it.
    const PathReport path = engines.report();
    link.send(FrameType::Verdict, 0, 0,
              encode(Verdict{ledger.status(), summary.durable, totals.entries, totals.bytes,
                             totals.root, totals.retransmitted_blocks, path, figures}));
    summary.set_path(Role::Receiver, path, fin.path);
    summary.limit = find_limit(fin.figures, figures);
    if (const std::string way = destination->path(); !way.empty()) console.detail(way);
    const Frame bye = link.read();
    if (bye.header.type != FrameType::Bye) unexpected_frame(bye.header, "instead of BYE");
    if (decode_bye(bye.body) != ledger.status())
      throw Error(ExitStatus::Protocol, "the sender ends with another status than this side");
  });

  // 8. Report. Both sides have said the same.
  link.channel().finish_sending();
  tcp.add(link.tcp_figures());
  summary.set_tcp(Role::Receiver, tcp, link.received_bytes());
  return console.finish(ledger.status(), "", ledger);
}

}  // namespace zx
