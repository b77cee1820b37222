// SPDX-License-Identifier: MIT
// The end of a run: entries and summary. The rest of Console is in console.cc.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/temp_file.h"
#include "common/ui/console.h"
#include "common/ui/json.h"
#include "common/ui/units.h"

namespace zx {
namespace {

// What means something at this end: a receiver sends next to nothing, so its window, round trips
// and losses would be those of its few messages.
JsonObject tcp_json(const TcpFigures& t, bool sends) {
  JsonObject json;
  if (!sends)
    return json.number("bytes_received", t.bytes_received)
        .number("rcv_rtt_us", t.receive_rtt_us)
        .number("out_of_order", t.segments_out_of_order);
  json.number("bytes_sent", t.bytes_sent).number("rtt_us", t.rtt_us);
  json.number("min_rtt_us", t.min_rtt_us).number("retransmits", t.segments_retransmitted);
  json.number("retransmitted_bytes", t.bytes_retransmitted);
  json.number("delivery_rate", t.delivery_rate).boolean("app_limited", t.app_limited);
  json.number("busy_us", t.busy_us).number("rwnd_limited_us", t.rwnd_limited_us);
  json.number("sndbuf_limited_us", t.sndbuf_limited_us).number("cwnd", t.window_segments);
  return json.number("mss", t.segment_bytes).number("reordering", t.reordering_seen);
}

std::string tcp_line(const TcpFigures& t, bool sends) {
  const auto ms = [](uint64_t us) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.2f ms", static_cast<double>(us) / 1000);
    return std::string(text.data());
  };
  if (!sends)
    return "round trip " + ms(t.receive_rtt_us) + ", " + std::to_string(t.segments_out_of_order) +
           " segments out of order";
  return "round trip " + ms(t.rtt_us) + " (least " + ms(t.min_rtt_us) + "), " +
         std::to_string(t.segments_retransmitted) + " segments sent again, window " +
         std::to_string(t.window_segments) + " of " + std::to_string(t.segment_bytes) + " bytes" +
         (t.app_limited  // then the rate is that of a few bytes
              ? ""
              : ", delivery rate " + human_bytes(static_cast<double>(t.delivery_rate)) + "/s");
}

// Files always, the rest where there is some.
std::string count_entries(const Totals& totals) {
  const auto count = [](uint64_t n, const char* one, const char* many) {
    return human_count(n) + " " + (n == 1 ? one : many);
  };
  std::string out = count(totals.files(), "file", "files");
  if (totals.directories > 0) out += ", " + count(totals.directories, "directory", "directories");
  if (totals.symlinks > 0) out += ", " + count(totals.symlinks, "link", "links");
  if (totals.hard_links > 0) out += ", " + count(totals.hard_links, "hard link", "hard links");
  return out;
}

// What became of the others, where there were some.
std::string count_others(const Totals& totals) {
  std::string out;
  for (const auto& [n, what] : {std::pair{totals.deleted, " deleted"},
                                {totals.skipped, " skipped"},
                                {totals.failed, " failed"},
                                {totals.vanished, " vanished"}})
    if (n > 0) out += (out.empty() ? "" : ", ") + human_count(n) + what;
  return out;
}

const char* kind_name(EntryKind kind) {
  switch (kind) {
    case EntryKind::File:
      return "file";
    case EntryKind::Directory:
      return "directory";
    case EntryKind::Symlink:
      return "symlink";
    case EntryKind::HardLink:
      return "hardlink";
  }
  return "";
}

JsonObject entry_event(const EntryOutcome& o) {
  JsonObject json = json_event("entry");
  json.text("name", o.name).number("bytes", o.bytes).text("status", status_name(o.status));
  json.text("kind", kind_name(o.kind));
  if (!o.output_name.empty()) json.text("output", o.output_name);
  if (o.changed) json.boolean("changed", true);
  if (o.skipped) json.boolean("skipped", true);
  if (!o.reason.empty()) json.text("reason", o.reason);
  std::vector<std::string> caveats;
  for (const CaveatKind& kind : kCaveatKinds)
    if (o.caveats.contains(kind.caveat)) caveats.emplace_back(kind.name);
  if (!caveats.empty()) json.list("caveats", caveats);
  if (o.digest) json.text("digest", to_hex(*o.digest));
  return json;
}

}  // namespace

void RunReport::count(const Link& first, const FurtherConnections* others) {
  tcp = first.tcp_figures();
  frame_bytes = role == Role::Sender ? first.sent_bytes() : first.received_bytes();
  if (others == nullptr) return;
  further = others->opened();
  lost = others->lost();
  tcp.add(others->tcp_figures());
}

void Summary::add(const RunReport& report) {
  at_sender = report.role == Role::Sender;
  const PathReport& sender = at_sender ? report.mine : report.peers;
  const PathReport& receiver = at_sender ? report.peers : report.mine;
  tx = escape(sender.engine);
  rx = escape(receiver.engine);
  tls = report.mine.tls;
  tls_peer = escape(report.peers.tls);
  streams += report.further;
  streams_lost = report.lost;
  durable = report.durable;
  limit = find_limit(report.sender, report.receiver);
  if (via == "ssh") {  // the TCP connection is ssh's
    wire_bytes = report.frame_bytes;
  } else {
    tcp = report.tcp;
    wire_bytes = at_sender ? report.tcp.bytes_sent : report.tcp.bytes_received;
  }
  why.clear();  // what connected() knew serves a run that fails
  if (!via_why.empty()) why.push_back(via_why);
  const auto add = [&](const char* program, const std::string& what, const std::string& text) {
    if (!text.empty())
      why.push_back(std::string(program) + ": " + what + ": " + quote_peer_text(text));
  };
  add("zsend", tx, sender.why);
  add("zsend", "TLS in user space", sender.tls_why);
  add("zrecv", rx, receiver.why);
  add("zrecv", "TLS in user space", receiver.tls_why);
}

void Summary::set_via(const std::string& way, const std::string& reason) {
  via = way;
  if (reason.empty()) return;
  via_why = (via == "ssh" ? "data through ssh: " : "data over a connection from the other side: ") +
            reason;
}

void Console::entry(const EntryOutcome& o) {
  const std::lock_guard lock(mutex_);
  ++entries_done_;
  if (json_.wanted()) write_json(entry_event(o));
  if (o.status == ExitStatus::SourceChanged) {
    if (warnings_.is_new(o.reason, o.name) && !options_.quiet)
      print(program_ + ": warning: " + o.reason);
    return;
  }
  if (o.status != ExitStatus::Ok) {
    if (errors_.is_new(o.reason, o.name)) print(program_ + ": error: " + o.reason);
    return;
  }
  if (summary_.dry_run && !o.skipped && options_.verbose > 0)
    print(program_ + ": would " + (at_sender() ? "send " : "receive ") + quote(o.name));
  if (o.skipped) {
    const std::string text = quote(o.name) + ": skipped: " + o.reason;
    if (skipped_.is_new(text, o.name) && !options_.quiet) print(program_ + ": " + text);
  }
  const auto warn = [&](const std::string& what, const std::string& text) {
    if (!warnings_.is_new(what, o.name)) return;  // the entry's own event has it
    write_json(json_event("warning").text("text", text));
    if (!options_.quiet) print(program_ + ": warning: " + text);
  };
  if (o.changed) {
    const std::string text =
        quote(o.name) + " changed while it was sent; what was sent is committed";
    warn(text, text);
  }
  for (const CaveatKind& kind : kCaveatKinds) {
    const auto caveat = o.caveats.find(kind.caveat);
    if (caveat == o.caveats.end()) continue;
    const std::string what =
        std::string(kind.text) + (caveat->second.empty() ? "" : ": " + caveat->second);
    warn(what, quote(o.name) + ": " + what);
  }
  if (o.digest && digests_.wanted()) write_digest(o);
}

bool Console::Lines::is_new(const std::string& text, const std::string& name) {
  constexpr size_t kMostTexts = 100, kMostNames = 5;
  const auto found = said.find(text);
  if (found == said.end()) {
    if (said.size() >= kMostTexts) {
      ++unsaid;
      return false;
    }
    said[text];
    return true;
  }
  Others& others = found->second;
  if (++others.count <= kMostNames) others.names += (others.count > 1 ? ", " : "") + quote(name);
  if (others.count == kMostNames + 1) others.names += ", ...";
  return false;
}

void Console::print_rest(const Lines& lines, const std::string& kind) {
  for (const auto& [text, others] : lines.said)
    if (others.count > 0)
      print(program_ + ": and " + std::to_string(others.count) + " more (" + others.names +
            "): " + text);
  if (lines.unsaid > 0)
    print(program_ + ": " + kind + ": and " + std::to_string(lines.unsaid) + " more");
}

// The one message of an output that is not complete.
bool Console::lost(Output& output, const char* option) {
  const int error = output.end();
  if (error == 0) return false;
  print(program_ + ": error: " + option + ": the end is missing: " + errno_text(error));
  return true;
}

ExitStatus Console::finish(ExitStatus status, const std::string& error, const Ledger& ledger) {
  // The digests are complete before the summary is due, and it tells their loss.
  if (lost(digests_, "--digest")) status = more_severe(status, ExitStatus::FileIo);
  finish_with(static_cast<int>(status), status_name(status), error, ledger);
  return lost(json_, "--json") ? more_severe(status, ExitStatus::FileIo) : status;
}

void Console::finish_interrupted(int signal, const Ledger& ledger) {
  finish_with(128 + signal, "interrupted", std::string("interrupted by SIG") + sigabbrev_np(signal),
              ledger);
}

void Console::finish_with(int exit, std::string_view status, const std::string& error,
                          const Ledger& ledger) {
  end_progress();
  const std::lock_guard lock(mutex_);
  for (const std::string& text : take_left_behind()) {
    write_json(json_event("warning").text("text", text));
    print(program_ + ": warning: " + text);
  }
  print_rest(errors_, "error");
  if (!options_.quiet) {
    print_rest(warnings_, "warning");
    print_rest(skipped_, "skipped");
  }
  const auto exit_number = static_cast<uint64_t>(exit);
  if (!error.empty()) {
    std::string text = remark_ ? error + remark_() : error;
    if (const Totals done = ledger.totals(); done.entries > 0 && !summary_.dry_run)
      text += "; before that " + count_entries(done) + (done.entries == 1 ? " was" : " were") +
              " committed (--overwrite=skip leaves them alone)";
    write_json(
        json_event("error").number("exit", exit_number).text("status", status).text("text", text));
    // Nobody else hears of an error that is a bug here.
    if (exit == static_cast<int>(ExitStatus::Internal)) options_.silent = false;
    print(program_ + ": error: " + not_yet_said(text));
  }
  const Totals totals = ledger.totals();
  const double time = seconds();
  JsonObject path;
  path.text("tx", summary_.tx).text("rx", summary_.rx).text("tls", summary_.tls);
  path.text("tls_peer", summary_.tls_peer)
      .text("cipher", summary_.cipher)
      .list("why", summary_.why)
      .text("via", summary_.via);
  JsonObject json = json_event("summary");
  json.number("exit", exit_number).text("status", status);
  json.number("files", totals.files()).number("bytes", totals.bytes);
  json.number("directories", totals.directories).number("symlinks", totals.symlinks);
  json.number("hardlinks", totals.hard_links).number("deleted", totals.deleted);
  json.number("skipped", totals.skipped).number("failed", totals.failed);
  json.number("vanished", totals.vanished);
  json.number("wire_bytes", summary_.wire_bytes).real("seconds", time);
  json.number("retransmitted_blocks", totals.retransmitted_blocks).number("resumed_bytes", 0);
  json.number("reconnects", summary_.reconnects);
  json.number("streams", summary_.streams).number("streams_lost", summary_.streams_lost);
  json.boolean("durable", summary_.durable).object("path", path);
  if (summary_.dry_run) json.boolean("dry_run", true);
  json.text("limit", summary_.limit.part);
  if (summary_.tcp) json.object("tcp", tcp_json(*summary_.tcp, summary_.at_sender));
  const EntryOutcome* only = ledger.only();
  if (totals.entries == 1 && only != nullptr && only->digest)
    json.text("digest", to_hex(*only->digest));
  write_json(json);

  const bool wanted = !options_.quiet && (options_.verbose > 0 || isatty(STDERR_FILENO) == 1);
  if (summary_.dry_run && error.empty()) {  // that is what it was for
    if (options_.summary || !options_.quiet) print_dry_run(totals);
  } else if ((options_.summary || wanted) && totals.entries + totals.others() > 0 &&
             error.empty()) {
    print_summary(totals, time);
  }
}

void Console::print_dry_run(const Totals& totals) {
  const std::string others = count_others(totals);
  print(program_ + ": dry run, nothing was sent: would " + (at_sender() ? "send " : "receive ") +
        count_entries(totals) + ", " + human_bytes(static_cast<double>(totals.bytes)) +
        (others.empty() ? "" : "; " + others) +
        (summary_.place.empty() ? "" : ": " + escape(summary_.place)));
}

void Console::print_summary(const Totals& totals, double time) {
  const auto bytes = static_cast<double>(totals.bytes);
  const std::string others = count_others(totals);
  std::string result = count_entries(totals) + (others.empty() ? ", " : "; " + others + "; ");
  if (totals.entries > 0)
    result += human_bytes(bytes) + " in " + human_duration(time) + " (" +
              human_bytes(time > 0 ? bytes / time : 0) + "/s), verified, " +
              (summary_.durable ? "on disk" : "not durable");
  else
    result += "nothing " + std::string(summary_.at_sender ? "sent" : "received") + " in " +
              human_duration(time);
  print(program_ + ": " + result + (summary_.place.empty() ? "" : ": " + escape(summary_.place)));
  if (options_.verbose == 0) {
    if (!summary_.via_why.empty()) print(program_ + ": " + summary_.via_why);
    return;
  }
  const std::string security = summary_.via == "ssh"     ? "encrypted by ssh"
                               : summary_.cipher.empty() ? "plain text"
                                                         : summary_.cipher + " (" + summary_.tls +
                                                               ", peer " + summary_.tls_peer + ")";
  print(program_ + ": path " + summary_.tx + " -> " + summary_.rx + ", " +
        (summary_.streams > 1 ? std::to_string(summary_.streams) + " streams, " : "") + security +
        ", verified by XXH3-128");
  for (const std::string& reason : summary_.why) print(reason);
  const Limit& limit = summary_.limit;
  print(program_ + ": limit: " + limit.part +
        (limit.percent > 0 ? " (" + std::to_string(limit.percent) + " % of the time)" : ""));
  if (summary_.tcp) print(program_ + ": TCP: " + tcp_line(*summary_.tcp, summary_.at_sender));
}

}  // namespace zx
