// SPDX-License-Identifier: MIT
// The story of zsend.
#include "zsend/sender.h"

#include <unistd.h>

#include <algorithm>
#include <thread>
#include <variant>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/engine/engine_set.h"
#include "common/file/name.h"
#include "common/session/limit.h"
#include "common/session/session.h"
#include "common/session/stream_count.h"
#include "common/ui/meeting.h"
#include "zsend/entry_stream.h"
#include "zsend/pipe_source.h"

namespace zx {
namespace {

using Source = std::variant<SourceFile, std::unique_ptr<PipeSource>>;

// What it becomes where it arrives, if nothing is said there.
std::string name_of(const Source& source) {
  if (const auto* file = std::get_if<SourceFile>(&source)) return base_name(file->path());
  return std::get<std::unique_ptr<PipeSource>>(source)->label().name;
}

Source open_standard_input(const PipeSource::Label& label) {
  if (isatty(STDIN_FILENO) == 1)
    throw Error(
        ExitStatus::Usage,
        "standard input is a terminal: let a pipe or a file be it (a file named '-' is ./-)");
  if (auto file = standard_input_file(label.name)) return std::move(*file);
  return std::make_unique<PipeSource>(label);
}

std::vector<Source> open_sources(const SendOptions& options) {
  const PipeSource::Label label{options.name.value_or("stdin"), options.expected_bytes};
  std::vector<Source> sources;
  if (options.exec) sources.emplace_back(std::make_unique<PipeSource>(label, *options.exec));
  for (const std::string& path : options.sources) {
    if (path == kStandardInput)
      sources.push_back(open_standard_input(label));
    else
      sources.emplace_back(SourceFile(path));
  }
  return sources;
}

// All that will be sent, as far as somebody knows; nothing when nobody does.
std::optional<uint64_t> total_bytes(const std::vector<Source>& sources) {
  uint64_t total = 0;
  for (const Source& source : sources) {
    const auto* file = std::get_if<SourceFile>(&source);
    const uint64_t bytes =
        file != nullptr ? file->size()
                        : std::get<std::unique_ptr<PipeSource>>(source)->label().expected_bytes;
    if (file == nullptr && bytes == 0) return std::nullopt;
    total += bytes;
  }
  return total;
}

// Of these, what several connections can share.
uint64_t file_bytes(const std::vector<Source>& sources) {
  uint64_t total = 0;
  for (const Source& source : sources)
    if (const auto* file = std::get_if<SourceFile>(&source)) total += file->size();
  return total;
}

// The command that fetches from this listener.
std::string paste_command(const SendOptions& options, uint16_t port) {
  return "zrecv " + shell_word("zs://" + to_text({host_to_paste(*options.common.listen), port})) +
         " .";
}

// A receiver that connects may ask for one of what is offered, by name.
void keep_requested(const std::vector<std::string>& path, std::vector<Source>* sources) {
  if (path.empty()) return;
  std::erase_if(*sources,
                [&](const Source& s) { return path.size() != 1 || name_of(s) != path[0]; });
  if (sources->empty())
    throw Error(ExitStatus::Refused, quote(join_path(path)) + ": not offered by this sender");
}

// What the other end shall take from ssh only.
Named name_for_ssh(const SendOptions& options, const std::vector<Source>& sources) {
  Named named;
  if (!options.ssh) return named;
  named.operands = {options.ssh->path};
  if (!options.common.plain) return named;
  if (sources.size() > kMaxPathComponents)
    throw Error(ExitStatus::Usage,
                "--plain with ssh takes up to " + std::to_string(kMaxPathComponents) + " sources");
  for (const Source& source : sources) named.names.push_back(name_of(source));
  return named;
}

// What --json and --digest must not overwrite.
std::vector<std::string> files_in_use(const SendOptions& options) {
  std::vector<std::string> files = options.sources;
  std::ranges::replace(files, kStandardInput, "/proc/self/fd/0");
  return files;
}

// Started by the receiver's operator, who is the same person: the paths are his.
std::vector<Source> open_requested(const std::vector<std::string>& operands) {
  if (operands.empty()) throw Error(ExitStatus::Protocol, "the receiver named nothing to send");
  std::vector<Source> sources;
  for (const std::string& path : operands) sources.emplace_back(SourceFile(path));
  return sources;
}

}  // namespace

ExitStatus run_send(const SendOptions& options, Console& console, Ledger& ledger) {
  console.configure(options.common.console, files_in_use(options));
  if (options.common.new_key) {
    console.note(make_key_file(*options.common.new_key));
    return ExitStatus::Ok;
  }

  // 1. Open the sources: what cannot be read is found before anyone is bothered. A command does not
  //    begin before somebody wants what it gives, and ends with this function at the latest, after
  //    the peer was told why.
  std::vector<Source> sources = open_sources(options);

  // 2. Meet the receiver. From here on the peer is who the key says, or --no-auth was on both ends.
  Terms terms = make_terms(options.common, "zsend");
  terms.sources = static_cast<uint32_t>(sources.size());
  if (options.remote) {
    terms.path = options.remote->path;
    terms.path_is_directory = options.remote->path_is_directory;
  }
  Session session = meet_peer(
      options.common, {options.remote, options.ssh, name_for_ssh(options, sources)}, Role::Sender,
      terms, [&](uint16_t port) { return paste_command(options, port); }, console);
  Link& link = session.link();
  Summary& summary = console.summary();

  Verdict verdict;
  TcpFigures tcp;  // of all connections
  link.guard([&] {
    if (options.common.listen) keep_requested(session.agreed().path, &sources);
    if (options.common.remote) sources = open_requested(session.agreed().named->operands);

    // 3. How bytes move is the policy's choice for each file, on this connection and on one that
    //    may replace it; nothing else decides that.
    SendEngines engines(link.channel(), options.common.engine);

    // 4. Stream the entries. Answers are served between blocks: what arrived damaged is sent again.
    console.begin_transfer(total_bytes(sources).value_or(0));
    const Stopwatch watch;
    EntryStream stream(session, engines, console, ledger);
    const uint16_t streams = choose_streams(
        {session.agreed().streams, std::chrono::microseconds(link.tcp_figures().rtt_us),
         std::thread::hardware_concurrency(), file_bytes(sources), window_bytes(),
         session.agreed().rate_limit});
    if (streams > 1) stream.use_streams(streams, options.common.engine);
    for (Source& source : sources) {
      if (auto* file = std::get_if<SourceFile>(&source))
        stream.send(std::move(*file));
      else
        stream.send(*std::get<std::unique_ptr<PipeSource>>(source));
    }
    const uint64_t moving_us = watch.wall_us(), cpu_us = watch.cpu_us();
    const uint64_t busy_us = link.tcp_figures().busy_us;

    // 5. Every entry has its result: verified at the receiver, or failed there or here.
    stream.settle();
    const QueueLooks& looks = link.queue_looks();
    const SideFigures figures{.moving_us = moving_us,
                              .waiting_us = watch.wall_us() - moving_us,
                              .cpu_us = cpu_us,
                              .busy_us = busy_us,
                              .looks = looks.looks,
                              .backlogs = looks.backlogs};
    stream.close_streams();
    if (const StreamSet* further = stream.streams()) {
      summary.streams += further->opened();
      summary.streams_lost = further->lost();
      tcp = further->tcp_figures();
    }

    // 6. FIN, verdict, BYE. Without a verdict nothing counts as sent.
    const PathReport path = engines.report();
    verdict = stream.conclude(path, figures);
    summary.set_path(Role::Sender, path, verdict.path);
    summary.limit = find_limit(figures, verdict.figures);
  });

  // 7. Report. Both sides have said the same.
  link.channel().finish_sending();
  tcp.add(link.tcp_figures());
  summary.set_tcp(Role::Sender, tcp, link.sent_bytes());
  summary.durable = verdict.durable;
  return console.finish(ledger.status(), "", ledger);
}

}  // namespace zx
