// SPDX-License-Identifier: MIT
// Console: everything the programs say. Text for people on stderr, --json for programs on stdout or
// a file, the --digest lines. Thread-safe: the signal thread prints progress while the main thread
// works. Nothing here decides anything. Texts arrive quoted; names of entries and the peer's build
// are quoted here.
#pragma once

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/base/stop.h"
#include "common/base/unique_fd.h"
#include "common/net/channel.h"
#include "common/net/tcp_info.h"
#include "common/session/further_connections.h"
#include "common/session/ledger.h"
#include "common/session/limit.h"
#include "common/session/notices.h"
#include "common/ui/json.h"
#include "common/ui/output.h"
#include "common/wire/message.h"

namespace zx {

enum class ProgressMode { Auto, Always, Never };

struct ConsoleOptions {
  bool quiet = false;
  bool silent = false;   // nothing but internal errors: what there is to say is said to the peer
  bool summary = false;  // the line of result in any case
  int verbose = 0;
  ProgressMode progress = ProgressMode::Auto;
  std::optional<std::string> json;    // path, "-" for stdout
  std::optional<std::string> digest;  // path, "-" for stdout
  std::vector<std::string> notes;     // what there is to say about the command line
};

/// How a transfer went, as both ends tell it.
struct RunReport {
  /// What the kernel has counted, on all connections. Null: there were no others.
  void count(const Link& first, const FurtherConnections* others);

  Role role{};  // of this side
  PathReport mine, peers;
  SideFigures sender, receiver;
  bool durable = false;
  TcpFigures tcp = {};
  uint64_t frame_bytes = 0;        // what counts where no TCP connection is ours
  unsigned further = 0, lost = 0;  // connections beside the first: opened, lost
};

/// The last word of a run. What is not known when a run fails keeps its default.
struct Summary {
  uint64_t wire_bytes = 0;
  unsigned streams = 1,
           streams_lost = 0;  // connections that there were; of those meant to be, lost
  bool durable = false;
  bool dry_run = false;     // nothing was sent or changed
  uint64_t reconnects = 0;  // the first connection was lost and made again so often
  std::string tx, rx;       // engines
  std::string tls = "none", tls_peer = "none";  // this side's record layer and the peer's
  std::string cipher;
  std::vector<std::string> why;   // reasons for the paths taken
  std::string via = "direct";     // how the data went: "direct", "back" or "ssh"
  std::string via_why;            // why not directly; "" where it did
  Limit limit;                    // what held the transfer up
  std::optional<TcpFigures> tcp;  // of this side's end
  std::string place;              // where the files went, as the operator calls it; unquoted
  bool at_sender = false;         // which of them mean something

  /// The peer's texts are quoted here.
  void add(const RunReport& report);
  /// `why`: quoted, "" when there is nothing to explain.
  void set_via(const std::string& way, const std::string& why);
};

class Console : public Notices {
 public:
  /// program: "zsend" or "zrecv", before every message. Messages before configure() are plain text.
  Console(std::string program, SignalWatch& signals);
  ~Console() override;

  /// Opens the files of --json and --digest. Throws Error{FileIo}, and Error{Usage} when one of
  /// them is one of the files `in_use` (sources, destination).
  void configure(const ConsoleOptions& options, std::vector<std::string> in_use);

  /// What a listener has to say when it is ready. With `key`, a one-time key, the command to paste
  /// is printed, even with -q, because nothing can be received without it.
  struct Invitation {
    std::string host, key;
    std::function<std::string(uint16_t port)> command;
  };
  /// Before listening(). The key's memory is wiped after that.
  void invite(Invitation invitation) { invitation_ = std::move(invitation); }
  /// The peer is authenticated. Notes the channel's TLS for the summary too.
  void connected(const Channel& channel, const std::string& peer_build);
  /// Progress begins; what is unknown is 0.
  void begin_transfer(uint64_t total_bytes, uint64_t entries = 0);
  /// The next file, for progress.
  void begin_file(const std::string& name);
  void add_bytes(uint64_t bytes) { moved_.fetch_add(bytes, std::memory_order_relaxed); }
  void add_total(uint64_t bytes) { total_.fetch_add(bytes, std::memory_order_relaxed); }
  /// Of something that moves nobody knows how much it is.
  void no_total() { total_known_ = false; }
  /// No more entries come than these, and no more bytes; without a number, than have moved.
  void all_begun(uint64_t entries, std::optional<uint64_t> bytes = {});
  /// All the data is there; what is left is to make it durable, or to hand it over.
  void finishing(bool syncs) { finishing_ = syncs ? "syncing" : "finishing"; }
  void listening(uint16_t port) override;
  void detail(const std::string& text) override;  // with -v
  void trace(const std::string& text);            // with -vv
  void note(const std::string& text) override;    // not with -q
  void reconnected(uint64_t times) override;
  void while_waiting(std::function<void()> task) override;

  /// What to add to the line of an error that ends the run, asked for then: "" or " (...)".
  void explain_failure(std::function<std::string()> remark) { remark_ = std::move(remark); }

  /// Filled in by the main path, printed by finish().
  Summary& summary() { return summary_; }
  /// What became of an entry, when that is final: its line, its JSON event, its digest.
  void entry(const EntryOutcome& outcome);
  /// What --delete has removed, by its path below the destination.
  void deleted(const std::string& path);
  /// What it has not, and why: `failed`: although it should. `name`: for more of the same.
  void not_deleted(const std::string& text, const std::string& name, bool failed);
  /// Why not all was deleted, or nothing; `whose`: "" or "peer: ".
  void deletion(const Deletion& deletion, const std::string& whose);
  /// Once, last: error text if any, summary. `error` is empty on success.
  /// Returns the exit status: the given one, or FileIo when --digest or --json could not be
  /// written.
  ExitStatus finish(ExitStatus status, const std::string& error, const Ledger& ledger);
  /// The same for a run that a signal ends: its status is 128 + signal.
  void finish_interrupted(int signal, const Ledger& ledger);

 private:
  void say(const std::string& text);
  void print(const std::string& line);  // to stderr, the bar out of the way; mutex_ held
  void print_aside();                   // the same; not more than is taken at once
  std::string take_aside();
  std::string clear_bar();  // by spaces: not every terminal knows escapes
  void write_json(const JsonObject& event);
  void show_progress(bool as_line);
  std::string progress_line(uint64_t moved, uint64_t total, size_t columns) const;
  uint64_t known_total() const { return total_known_ ? total_.load() : 0; }
  void end_progress();
  bool lost(Output& output, const char* option);
  void finish_with(int exit, std::string_view status, const std::string& error,
                   const Ledger& ledger);
  std::string not_yet_said(std::string error);  // without a note at its end
  void write_digest(const EntryOutcome& outcome);
  void print_summary(const Totals& totals, double time);
  void print_dry_run(const Totals& totals);
  bool at_sender() const { return program_ == "zsend"; }
  double seconds() const;

  // Lines of one kind about entries. What is the same for many is said for the first of them, and
  // of what differs the first ones are enough: print_rest() tells how many more there were.
  struct Lines {
    bool is_new(const std::string& text, const std::string& name);

    struct Others {
      uint64_t count = 0;
      std::string names;  // some of them
    };
    std::map<std::string, Others> said;
    uint64_t unsaid = 0;
  };
  void print_rest(const Lines& lines, const std::string& kind);

  const std::string program_;
  SignalWatch& signals_;
  ConsoleOptions options_;
  UniqueFd json_file_, digest_file_;
  Output messages_{STDERR_FILENO}, json_, digests_;
  Summary summary_;
  std::function<std::string()> remark_;
  std::function<void()> meanwhile_;
  Invitation invitation_;
  Lines errors_, warnings_, skipped_;
  const std::thread::id main_ = std::this_thread::get_id();

  std::mutex aside_mutex_;         // never held for long, and taken last
  std::string aside_;              // what other threads say, as long as it was not printed
  std::deque<std::string> noted_;  // the last ones

  std::mutex mutex_;
  std::atomic<uint64_t> moved_{0}, total_{0};
  std::atomic<bool> total_known_{true};
  std::atomic<const char*> finishing_{nullptr};
  bool transferring_ = false;
  uint64_t entries_ = 0, entries_done_ = 0;  // of all, when that is known
  std::string file_;                         // the one that was begun last
  size_t bar_columns_ = 0;                   // of the progress that is shown
  std::chrono::steady_clock::time_point begun_{}, last_json_{};
  uint64_t last_moved_ = 0;
  std::chrono::steady_clock::time_point last_shown_{};
  double rate_ = 0;  // bytes/s, smoothed
};

}  // namespace zx
