// SPDX-License-Identifier: MIT
#include "common/ui/console.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <numeric>
#include <thread>
#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/file/operator_file.h"
#include "common/net/key.h"
#include "common/ui/json.h"
#include "common/ui/units.h"

namespace zx {
namespace {

using std::chrono::steady_clock;

constexpr auto kRefresh = std::chrono::milliseconds(200);
constexpr auto kJsonProgress = std::chrono::seconds(1);
// Weight of the past in the rate: steady to read, still following a change within seconds.
constexpr double kRateInertia = 0.9;
// Of what is printed by another thread: so long it waits, and so much is kept.
constexpr int kLooks = 10;
constexpr auto kLook = std::chrono::milliseconds(1);
constexpr size_t kMostAside = 64 << 10;
// A line of progress is shorter than PIPE_BUF.
constexpr size_t kWidest = 250;

// Those that an error may repeat.
constexpr size_t kNotesKept = 16;
constexpr std::string_view kSshSays = "ssh: ";

// Opened without O_TRUNC: first it must be sure that it is none of the files that are worked on.
UniqueFd open_output(const std::string& path, const std::vector<std::string>& in_use) {
  // 0600: with --json a one-time key may be in it.
  UniqueFd fd = open_operator_file(path, O_WRONLY | O_CREAT, 0600, "output");
  struct stat mine {
  }, other{};
  if (fstat(fd.get(), &mine) != 0) throw_file_errno(quote(path) + ": stat", errno);
  for (const std::string& used : in_use)
    if (stat(used.c_str(), &other) == 0 && mine.st_dev == other.st_dev &&
        mine.st_ino == other.st_ino)
      throw Error(ExitStatus::Usage, quote(path) + ": would overwrite " + quote(used));
  if (S_ISREG(mine.st_mode) && ftruncate(fd.get(), 0) != 0)
    throw_file_errno(quote(path) + ": truncate", errno);
  return fd;
}

// A change of the mode would come too late for who has the file open. Pipes of a shell are private.
bool others_can_read(int fd) {
  struct stat st {};
  if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))) return false;
  return (st.st_mode & (S_IRGRP | S_IROTH)) != 0 || (st.st_uid != geteuid() && st.st_uid != 0);
}

// The line format of xxhsum and coreutils: names with a newline or backslash are escaped and the
// line begins with a backslash.
std::string digest_line(const Digest& digest, const std::string& name) {
  static constexpr std::array kEscapes{"\\n", "\\r", "\\\\"};
  std::string escaped;
  for (char c : name) {
    const size_t special = std::string_view("\n\r\\").find(c);
    escaped += special == std::string_view::npos ? std::string(1, c) : kEscapes[special];
  }
  return (escaped == name ? "" : "\\") + to_hex(digest) + "  " + escaped + "\n";
}

}  // namespace

Console::Console(std::string program, SignalWatch& signals)
    : program_(std::move(program)), signals_(signals) {
  signals_.set_callbacks([this] { show_progress(/*as_line=*/true); }, {}, {});
}

Console::~Console() {
  signals_.set_callbacks({}, {}, {});
}

void Console::configure(const ConsoleOptions& options, std::vector<std::string> in_use) {
  options_ = options;
  if (options_.silent) options_.quiet = true;
  if (options_.quiet) options_.verbose = 0;
  if (options.json && *options.json != "-") {
    json_file_ = open_output(*options.json, in_use);
    in_use.push_back(*options.json);
  }
  if (options.digest && *options.digest != "-") digest_file_ = open_output(*options.digest, in_use);
  if (options.json) json_ = Output(json_file_.valid() ? json_file_.get() : STDOUT_FILENO);
  // With JSON on stdout the digests are in its summary; the two formats are not mixed.
  if (digest_file_.valid())
    digests_ = Output(digest_file_.get());
  else if (options.digest && json_.fd() != STDOUT_FILENO)
    digests_ = Output(STDOUT_FILENO);
  for (const std::string& text : options.notes) note("note: " + text);
}

std::string Console::clear_bar() {
  const size_t columns = std::exchange(bar_columns_, 0);
  return columns > 0 ? "\r" + std::string(columns, ' ') + "\r" : "";
}

void Console::print(const std::string& line) {
  const std::string earlier = take_aside();
  if (!options_.silent) messages_.write(clear_bar() + earlier + line + "\n", meanwhile_);
  print_aside();
}

std::string Console::take_aside() {
  const std::lock_guard lock(aside_mutex_);
  return std::exchange(aside_, {});
}

void Console::print_aside() {
  const std::lock_guard lock(aside_mutex_);
  if (options_.silent) aside_.clear();
  if (!aside_.empty()) messages_.offer(clear_bar());
  while (!aside_.empty() && messages_.offer(aside_.substr(0, PIPE_BUF))) aside_.erase(0, PIPE_BUF);
}

// Who serves another connection waits neither for a reader nor for who waits for one: its peer
// would take it for dead.
void Console::say(const std::string& text) {
  const std::string line = program_ + ": " + text;
  std::unique_lock lock(mutex_, std::defer_lock);
  if (std::this_thread::get_id() == main_) {
    lock.lock();
    return print(line);
  }
  {
    const std::lock_guard aside(aside_mutex_);
    if (aside_.size() < kMostAside) aside_ += line + "\n";
  }
  for (int looks = 0; !lock.try_lock() && looks < kLooks; ++looks)
    std::this_thread::sleep_for(kLook);
  if (lock) print_aside();
}

void Console::write_json(const JsonObject& event) {
  json_.write(event.str() + "\n", meanwhile_);
}

void Console::listening(uint16_t port) {
  const std::lock_guard lock(mutex_);
  JsonObject json = json_event("listening");
  json.text("host", invitation_.host).number("port", port);
  const bool shared = others_can_read(json_.fd());
  if (!invitation_.key.empty() && !shared) json.text("key", invitation_.key);
  write_json(json);
  const std::string text = program_ + ": listening on port " + std::to_string(port);
  if (!invitation_.key.empty())
    print(text + "; on the other machine run:\n  ZXFER_KEY=" + invitation_.key + " " +
          invitation_.command(port) +
          (shared ? "\n  (--json goes to what other users can read, so without the key)" : ""));
  else if (!options_.quiet)
    print(text);
  wipe(invitation_.key);
}

void Console::reconnected(uint64_t times) {
  {
    const std::lock_guard lock(mutex_);
    summary_.reconnects = times;
  }
  detail("connected again (" + std::to_string(times) + (times == 1 ? " time)" : " times)"));
}

void Console::while_waiting(std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  meanwhile_ = [task = std::move(task), thread = std::this_thread::get_id()] {
    if (task && std::this_thread::get_id() == thread) task();
  };
}

void Console::connected(const Channel& channel, const std::string& peer_build) {
  const std::lock_guard lock(mutex_);
  const std::string& peer = channel.socket().peer();
  const std::string why = channel.tls_why();
  summary_.tls = channel.tls_form();
  summary_.cipher = channel.cipher();
  if (!why.empty()) summary_.why = {program_ + ": TLS in user space: " + why};
  write_json(json_event("connected")
                 .text("peer", peer)
                 .text("cipher", summary_.cipher)
                 .text("tls", summary_.tls)
                 .text("peer_build", peer_build));
  if (options_.verbose == 0) return;
  print(program_ + ": connected to " + peer + " (" + quote_peer_text(peer_build) + "), " +
        (!summary_.cipher.empty() ? summary_.cipher
         : summary_.via == "ssh"  ? "encrypted by ssh"
                                  : "PLAIN TEXT") +
        (summary_.tls == "ktls" ? ", kernel TLS" : ""));
  for (const std::string& reason : summary_.why) print(reason);
}

void Console::begin_file(const std::string& name) {
  const std::lock_guard lock(mutex_);
  file_ = name;
}

void Console::all_begun(uint64_t entries, std::optional<uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  entries_ = entries;
  total_ = bytes.value_or(moved_);
  total_known_ = true;
}

void Console::begin_transfer(uint64_t total_bytes, uint64_t entries) {
  {
    const std::lock_guard lock(mutex_);
    total_ = total_bytes;
    entries_ = entries;
    transferring_ = true;
    begun_ = last_shown_ = last_json_ = steady_clock::now();
  }
  const bool terminal = isatty(STDERR_FILENO) == 1;
  const bool bar = options_.progress == ProgressMode::Always ||
                   (options_.progress == ProgressMode::Auto && terminal && !options_.quiet);
  if (!bar && !json_.wanted()) return;
  // Forced without a terminal: whole lines, and not five a second.
  const bool lines = bar && !terminal;
  signals_.set_callbacks([this] { show_progress(true); },
                         [this, bar, lines] {
                           if (bar) show_progress(lines);
                           const std::unique_lock lock(mutex_, std::try_to_lock);
                           const auto now = steady_clock::now();
                           if (!lock || now - last_json_ < kJsonProgress) return;
                           last_json_ = now;
                           json_.offer(json_event("progress")
                                           .number("bytes", moved_)
                                           .number("total", known_total())
                                           .number("entries", entries_done_)
                                           .number("entries_total", entries_)
                                           .real("seconds", seconds())
                                           .str() +
                                       "\n");
                         },
                         lines ? std::chrono::milliseconds(1000) : kRefresh);
}

double Console::seconds() const {
  if (!transferring_) return 0;
  return std::chrono::duration<double>(steady_clock::now() - begun_).count();
}

// total: 0 when it is not known. The least useful fields vanish first where there is no room.
std::string Console::progress_line(uint64_t moved, uint64_t total, size_t columns) const {
  enum { Percent, Moved, Total, Rate, Left, Count, Name, Fields };
  std::array<std::string, Fields> fields;
  fields[Moved] = human_bytes(static_cast<double>(moved));
  fields[Rate] = "  " + human_bytes(rate_) + "/s";
  if (total > 0) {
    std::array<char, 16> percent{};
    std::snprintf(percent.data(), percent.size(), "%3.0f%% ",
                  100 * static_cast<double>(moved) / static_cast<double>(total));
    fields[Percent] = percent.data();
    fields[Total] = " of " + human_bytes(static_cast<double>(total));
  }
  if (total > moved && rate_ > 0)
    fields[Left] = "  ETA " + human_time(static_cast<double>(total - moved) / rate_);
  if (total == 0) fields[Left] = "  " + human_time(seconds());
  // Of a single file the operator knows the name.
  if (entries_ > 1)
    fields[Count] = "  " + human_count(entries_done_) + "/" + human_count(entries_);
  else if (entries_ == 0 && entries_done_ > 0)
    fields[Count] = "  " + human_count(entries_done_) + " done";
  if (entries_ != 1 && !file_.empty()) fields[Name] = "  " + escape(base_name(file_));
  if (const char* what = finishing_) {  // of all that has come
    for (const int over : {Rate, Name}) fields[static_cast<size_t>(over)].clear();
    fields[Left] = std::string("  ") + what;
  }
  const auto line = [&] { return std::accumulate(fields.begin(), fields.end(), std::string()); };
  for (const int least : {Name, Total, Count, Moved, Rate, Left})
    if (line().size() > columns) fields[static_cast<size_t>(least)].clear();
  return line().substr(0, columns);
}

// Runs on the signal thread: neither a lock nor a full pipe may hold it.
void Console::show_progress(bool as_line) {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock) return;
  if (!transferring_ && as_line) messages_.offer(program_ + ": no data has moved yet\n");
  if (!transferring_) return;
  const auto now = steady_clock::now();
  const double elapsed = std::chrono::duration<double>(now - last_shown_).count();
  const uint64_t moved = moved_;
  // The guess at what comes out of a pipe was too small: there is no other.
  const uint64_t total = moved > known_total() ? 0 : known_total();
  if (elapsed > 0.05) {
    const double current = static_cast<double>(moved - last_moved_) / elapsed;
    rate_ = rate_ == 0 ? current : kRateInertia * rate_ + (1 - kRateInertia) * current;
    last_moved_ = moved;
    last_shown_ = now;
  }
  if (as_line) {
    messages_.offer(clear_bar() + program_ + ": " + progress_line(moved, total, std::string::npos) +
                    "\n");
    return;
  }
  if (tcgetpgrp(STDERR_FILENO) != getpgrp()) return;  // in the background
  winsize size{};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const size_t columns = std::min<size_t>(known ? size.ws_col : 80, kWidest) - 1;
  std::string text = progress_line(moved, total, columns);
  if (total > 0 && columns > text.size() + 13) {
    const size_t width = std::min<size_t>(columns - text.size() - 3, 40);
    const auto filled =
        static_cast<size_t>(static_cast<double>(width) *
                            std::min(static_cast<double>(moved) / static_cast<double>(total), 1.0));
    text += " [" + std::string(filled, '=') + std::string(width - filled, ' ') + "]";
  }
  const size_t shown = text.size();
  text.append(std::max(std::min(bar_columns_, columns), shown) - shown, ' ');
  messages_.offer("\r" + text);
  bar_columns_ = shown;
}

void Console::end_progress() {
  signals_.set_callbacks({}, {}, {});
  const std::lock_guard lock(mutex_);
  const std::string earlier = take_aside();
  if (!options_.silent) messages_.write(clear_bar() + earlier);
}

void Console::detail(const std::string& text) {
  if (options_.verbose > 0) say(text);
}

void Console::trace(const std::string& text) {
  if (options_.verbose > 1) say(text);
}

void Console::note(const std::string& text) {
  if (options_.quiet) return;
  say(text);
  const std::lock_guard lock(aside_mutex_);
  noted_.push_back(text);
  if (noted_.size() > kNotesKept) noted_.pop_front();
}

std::string Console::not_yet_said(std::string error) {
  const std::lock_guard lock(aside_mutex_);
  for (const std::string& note : noted_) {
    const std::string text = note.starts_with(kSshSays) ? note.substr(kSshSays.size()) : note;
    for (const std::string& tail : {": " + text, " (" + text + ")"})
      if (error.ends_with(tail)) error.resize(error.size() - tail.size());
  }
  return error;
}

void Console::write_digest(const EntryOutcome& o) {
  const std::string& name = o.output_name.empty() ? o.name : o.output_name;
  // For a program the exact bytes; for a person nothing that the terminal would act on.
  digests_.write(isatty(digests_.fd()) == 1 ? to_hex(*o.digest) + "  " + escape(name) + "\n"
                                            : digest_line(*o.digest, name),
                 meanwhile_);
}

}  // namespace zx
