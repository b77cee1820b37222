// SPDX-License-Identifier: MIT
// The messages. Each lists its fields in the order of zsend-protocol(7), for encode() and decode()
// (wire/codec.h); golden bytes of each are in tests/unit/golden_test.cc. A payload on the wire is
// the encoded message followed by its XXH3-64 (seal/unseal); DATA has none, its DIGEST is the
// check.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/caveat.h"
#include "common/base/exit_status.h"
#include "common/integrity/digest.h"
#include "common/wire/attributes.h"
#include "common/wire/codec.h"
#include "common/wire/limits.h"
#include "common/wire/preface.h"

namespace zx {

/// How much of what was written survives a power cut when the verdict is sent. 0: no wish given.
enum class Durability : uint8_t { Unset = 0, None = 1, Batch = 2, File = 3 };
/// When an existing file may be replaced. Both sides' rules must allow it. 0: no wish given.
enum class Overwrite : uint8_t {
  Unset = 0,
  Always = 1,
  Older = 2,
  Differ = 3,
  Never = 4,
  Skip = 5
};

enum class EntryKind : uint8_t { File = 1, Directory = 2, Symlink = 3, HardLink = 4 };

using SessionId = std::array<std::byte, 16>;

/// --exclude or --include: which names of a tree are sent (common/file/filter.h).
struct FilterRule {
  bool include = false;
  std::string pattern;

  bool operator==(const FilterRule&) const = default;

  void fields(auto& c) {
    c.flags({&include});
    c.text("pattern", pattern, kMaxOperandBytes);
  }
};

inline size_t bytes_of(const std::vector<FilterRule>& rules) {
  size_t bytes = 0;
  for (const FilterRule& rule : rules) bytes += rule.pattern.size();
  return bytes;
}

inline bool fits(const std::vector<FilterRule>& rules) {
  return rules.size() <= kMaxFilterRules && bytes_of(rules) <= kMaxFilterBytes;
}

/// HELLO (connector) and WELCOME (listener): what each side is and wants.
struct Terms {
  Prefaces prefaces;                          // as this side wrote or read them
  uint64_t required_features = 0;             // an unknown bit ends the session
  uint64_t optional_features = 0;             // unknown bits are ignored
  SessionId session{};                        // chosen by the connector, repeated by the listener
  uint32_t block_bytes = kDefaultBlockBytes;  // at most
  Durability durability = Durability::Unset;
  Overwrite overwrite = Overwrite::Unset;
  bool file_digest = false;          // wants XXH3-128 flat over each file in END
  bool no_target_directory = false;  // -T: the path is the name, never a directory to put it in
  bool preserve = false;             // -p: keep the modification time
  bool mkdir = false;                // --mkdir: make missing directories of the path
  bool path_is_directory = false;    // the path was written with a trailing slash
  bool to_pipe = false;              // from a receiver: into a pipe or a command, not into files
  bool several = false;              // from a sender: more than one entry may come
  bool recursive = false;            // -r: directories, and all that is below them
  bool several_sources = false;      // more than one; one directory is one
  bool archive = false;              // -a: also owners, groups, ACLs and extended attributes
  bool one_file_system = false;      // -x, from a receiver: nothing of mounted file systems
  bool dereference = false;          // -L, from a receiver: what links lead to, in their place
  bool deletes = false;              // --delete; a sender's needs that of the receiver's operator
  bool dry_run = false;              // -n: only what would be done
  bool verify_disk = false;          // --verify=disk: read again from the disk before it counts
  uint64_t rate_limit = 0;           // bytes/s on the wire from the sender; 0: no wish
  // This side takes a connection for lost when nothing has come for so long (--timeout / 4, 15 s at
  // most): the peer is never silent for half of it. From 250 to 15000.
  uint32_t silence_ms = 15000;
  uint16_t streams = 0;                // connections at most, 1 to kMaxStreams; 0: no wish
  uint64_t most_deleted = UINT64_MAX;  // --max-delete: if more would go, none does
  std::vector<std::string> path;       // from the connector: where, below the listener's root
  std::string build;                   // program and version, for messages
  // From a receiver: what it does not want, in order. From a sender: what it leaves out, so that
  // --delete leaves that alone.
  std::vector<FilterRule> filter;

  static constexpr std::string_view kName = "HELLO";
  void fields(auto& c) {
    prefaces.fields(c);
    c.number("required features", required_features);
    c.number("optional features", optional_features);
    c.bytes("session id", session);
    c.number("block limit", block_bytes);
    c.require(block_bytes >= kMinBlockBytes && block_bytes <= kMaxBlockBytes, "block limit",
              "not from 1 to 16 MiB");
    c.choice("durability", durability, Durability::Unset, Durability::File);
    c.choice("overwrite", overwrite, Overwrite::Unset, Overwrite::Skip);
    c.flags({&file_digest, &no_target_directory, &preserve, &path_is_directory, &to_pipe, &several,
             &mkdir, &recursive, &archive, &several_sources, &dry_run, &verify_disk});
    c.flags({&one_file_system, &dereference, &deletes});
    c.number("rate limit", rate_limit);
    c.require(rate_limit == 0 || rate_limit >= kMinRateLimit, "rate limit", "below 1 KiB/s");
    c.number("silence", silence_ms);
    c.require(silence_ms >= kMinSilenceMs && silence_ms <= kMaxSilenceMs, "silence",
              "not from 250 ms to 15 s");
    c.number("streams", streams);
    c.require(streams <= kMaxStreams, "streams", "over 16");
    c.number("most to delete", most_deleted);
    c.names("path", path);
    c.text("build", build, kMaxBuildBytes);
    c.list("filter", filter, 0, kMaxFilterRules);
    c.require(bytes_of(filter) <= kMaxFilterBytes, "filter", "over 48 KiB");
  }
};

/// JOIN, both ways: this connection belongs to that session.
struct Join {
  Prefaces prefaces;  // as this side wrote or read them
  SessionId session{};
  uint16_t stream = 0;      // which connection of the session it is or replaces; 0: the first
  uint32_t generation = 0;  // attempts for this stream, this one included
  uint64_t taken = 0;       // counted messages that this side has taken; 0 but for stream 0
  uint64_t acks = 0;        // so far: of the receiver, sent; of the sender, taken; likewise

  static constexpr std::string_view kName = "JOIN";
  void fields(auto& c) {
    prefaces.fields(c);
    c.bytes("session id", session);
    c.number("stream", stream);
    c.number("generation", generation);
    c.number("messages taken", taken);
    c.number("acks", acks);
  }
};

/// ENTRY: announces a file, whose END follows its content; a directory, into which all entries go
/// until its END; or a symbolic link or another name of an earlier file, which have no END. The
/// size of a file is what it was when it was opened, or of an open-ended entry a guess; END has the
/// actual one. Of a file that asks nothing follows: it gets its result at once, or its ENTRY comes
/// once more, not asking, when it is WANTED.
struct EntryInfo {
  uint64_t id = 0;  // in the header of the frame, not in here
  EntryKind kind = EntryKind::File;
  std::vector<std::string> name;  // one component; of a directory none, for the destination itself
  uint64_t size = 0;
  int64_t mtime_sec = 0;
  uint32_t mtime_nsec = 0;
  uint32_t mode = 0;        // permission bits only, 07777
  bool sparse = false;      // HOLEs will come: do not preallocate
  bool open_ended = false;  // out of a pipe: the size is not known, 0 or what somebody expects
  bool failed = false;      // it cannot be sent: its END says why, and nothing else comes
  bool more_links = false;  // of a file or hard link: more names of that file may come
  bool asks = false;        // its content is held back until it is wanted
  std::string target;       // of a symbolic link: not empty, no NUL
  uint64_t linked_to = 0;   // of a hard link: the entry that it is another name of
  std::optional<Attributes> attributes;  // only with -a

  static constexpr std::string_view kName = "ENTRY";
  void fields(auto& c) {
    c.choice("kind", kind, EntryKind::File, EntryKind::HardLink);
    bool has_attributes = attributes.has_value();
    c.flags({&sparse, &open_ended, &failed, &has_attributes, &more_links, &asks});
    c.require(!has_attributes || !failed, "flags", "attributes of what cannot be sent");
    c.require(!sparse || !open_ended, "flags", "holes in an entry of unknown length");
    c.require(!asks || (kind == EntryKind::File && !sparse && !open_ended && !failed), "flags",
              "asks, and is no file as it stands");
    c.names("name", name);
    c.number("size", size, kMaxFileBytes);
    c.require((kind == EntryKind::File && !failed) || (size == 0 && !sparse && !open_ended), "size",
              "of what has no content");
    c.number("mtime", mtime_sec);
    c.number("mtime nanoseconds", mtime_nsec);
    c.require(mtime_nsec <= 999'999'999, "mtime nanoseconds", "over 999999999");
    c.number("mode", mode);
    c.require(mode <= 07777, "mode", "more than permission bits");
    if (kind == EntryKind::Symlink) {
      c.text("target", target, kMaxOperandBytes);
      c.require(!target.empty() && target.find('\0') == std::string::npos, "target", "no path");
    }
    c.require(!more_links || (!failed && !open_ended &&
                              (kind == EntryKind::File || kind == EntryKind::HardLink)),
              "flags", "links to what has none");
    if (kind == EntryKind::HardLink) {
      c.number("linked to", linked_to);
      c.require(!has_attributes && !failed, "flags", "of a hard link");
    }
    if (!has_attributes) return;
    if (!attributes) attributes.emplace();
    attributes->fields(c);
    c.require(kind != EntryKind::Symlink || attributes->is_owner_only(), "attributes",
              "that no symbolic link has");
    c.require(kind == EntryKind::Directory || attributes->default_acl.empty(), "default ACL",
              "of what is no directory");
  }
};

struct BlockDigest {
  uint32_t length = 0;  // may be less than DATA's length: the rest of that was padding
  Digest digest{};
  bool operator==(const BlockDigest&) const = default;

  static constexpr std::string_view kName = "DIGEST";
  void fields(auto& c) {
    c.number("length", length);
    c.bytes("digest", digest);
  }
};

struct EntryEnd {
  bool changed = false;  // size, mtime or ctime differ from those at open
  ExitStatus failure{};  // Ok, or why the sender gave the entry up
  Digest block_sum{};    // DigestSum of all block_part()
  bool has_file_digest = false;
  Digest file_digest{};
  std::string reason;  // text for failure
  bool whole = false;  // of a directory: all in it was told, but what the filters leave out

  static constexpr std::string_view kName = "END";
  void fields(auto& c) {
    c.flags({&changed, &has_file_digest, &whole});
    c.status("status", failure);
    c.bytes("block sum", block_sum);
    c.bytes("file digest", file_digest);
    c.free_text("reason", reason);
  }
};

/// Which data path ran at one end.
struct PathReport {
  std::string engine;   // "sendfile", "splice", "readwrite"
  std::string tls;      // "ktls", "user", "none"
  std::string why;      // why not a better engine; empty when it was the best
  std::string tls_why;  // why the record layer is not in the kernel

  void fields(auto& c) {
    c.text("engine", engine, kMaxEngineBytes);
    c.text("tls", tls, kMaxEngineBytes);
    c.free_text("why", why);
    c.free_text("tls why", tls_why);
  }
};

/// How one end spent its time: from both ends follows what held the transfer up (session/limit.h).
/// Times in microseconds; what an end has no use for is 0.
struct SideFigures {
  uint64_t moving_us = 0;   // sender: until all was handed over; receiver: until FIN
  uint64_t waiting_us = 0;  // sender: after that, for the results
  uint64_t syncing_us = 0;  // receiver: the commit
  uint64_t cpu_us = 0;      // of moving_us, on a CPU or waiting for one
  uint64_t busy_us = 0;     // sender, of moving_us: something was on its way
  uint32_t looks = 0;       // at the queue of its socket
  uint32_t backlogs = 0;    // at so many of them too much was in it

  void fields(auto& c) {
    c.number("moving time", moving_us);
    c.number("waiting time", waiting_us);
    c.number("syncing time", syncing_us);
    c.number("CPU time", cpu_us);
    c.number("busy time", busy_us);
    c.number("looks", looks);
    c.number("backlogs", backlogs);
  }
};

struct Fin {
  uint64_t entries = 0;  // the id of the last one
  PathReport path;
  SideFigures figures;

  static constexpr std::string_view kName = "FIN";
  void fields(auto& c) {
    c.number("entries", entries);
    path.fields(c);
    figures.fields(c);
  }
};

/// What --delete has done.
struct Deletion {
  uint64_t deleted = 0;  // names: a directory, and each of those in it
  bool failed = false;   // not all is gone that should be
  std::string reason;    // why not, or why nothing was to go

  void fields(auto& c) {
    c.flags({&failed});
    c.number("deleted", deleted);
    c.free_text("why not deleted", reason);
  }
};

struct Verdict {
  ExitStatus status{};
  bool durable = false;
  uint64_t entries = 0, bytes = 0;
  Digest root{};
  uint64_t retransmitted_blocks = 0;
  PathReport path;
  SideFigures figures;
  Deletion deletion = {};

  static constexpr std::string_view kName = "VERDICT";
  void fields(auto& c) {
    c.status("status", status);
    c.flags({&durable});
    c.number("entries", entries);
    c.number("bytes", bytes);
    c.bytes("root", root);
    c.number("retransmitted blocks", retransmitted_blocks);
    deletion.fields(c);
    path.fields(c);
    figures.fields(c);
  }
};

/// What became of entries, for good: a run of ids with the same.
struct Result {
  uint64_t first = 0;
  uint32_t count = 0;
  ExitStatus status{};   // Ok: committed
  bool skipped = false;  // with Ok: --overwrite left the existing file alone
  std::string reason;    // why it failed or was skipped
  CaveatFlags caveats{};

  bool operator==(const Result&) const = default;

  void fields(auto& c) {
    c.number("first entry", first);
    c.number("entries", count);
    c.require(first > 0 && count > 0 && first + count > first, "entries", "no range");
    c.status("status", status);
    c.flags({&skipped, &caveats[0], &caveats[1], &caveats[2], &caveats[3], &caveats[4], &caveats[5],
             &caveats[6]});
    c.free_text("reason", reason);
  }
};

/// So many fit into one message, whatever their reasons.
constexpr size_t kMaxResults = kMaxMessageBytes / (kMaxTextBytes + 32);

/// RESULTS.
struct Results {
  std::vector<Result> runs;

  static constexpr std::string_view kName = "RESULTS";
  void fields(auto& c) { c.list("count", runs, 1, kMaxResults); }
};

/// DELETED: names that are gone, each with the directories below the destination.
struct Deleted {
  struct Path {
    std::string path;

    void fields(auto& c) { c.text("path", path, kMaxDeletedPathBytes); }
  };
  std::vector<Path> paths;

  static constexpr std::string_view kName = "DELETED";
  void fields(auto& c) { c.list("count", paths, 1, kMaxDeleted); }
};

/// A run of entries.
struct WantedRun {
  uint64_t first = 0;
  uint32_t count = 0;
  // Not files that have asked, but directories in which nothing was there before: the sender need
  // not ask about what comes into them.
  bool fresh = false;

  bool operator==(const WantedRun&) const = default;

  void fields(auto& c) {
    c.number("first entry", first);
    c.number("entries", count);
    c.require(first > 0 && count > 0 && first + count > first, "entries", "no range");
    c.flags({&fresh});
  }
};

constexpr size_t kMaxWantedRuns = 4096;

/// WANTED: of these that have asked ENTRY and content shall come.
struct Wanted {
  std::vector<WantedRun> runs;

  static constexpr std::string_view kName = "WANTED";
  void fields(auto& c) { c.list("count", runs, 1, kMaxWantedRuns); }
};

/// ERROR.
struct ErrorMessage {
  ExitStatus status{};  // never Ok
  std::string text;

  static constexpr std::string_view kName = "ERROR";
  void fields(auto& c) {
    c.status("status", status);
    c.require(status != ExitStatus::Ok, "status", "an error that is none");
    c.free_text("text", text);
  }
};

struct Hole {
  uint64_t length = 0;

  static constexpr std::string_view kName = "HOLE";
  void fields(auto& c) { c.number("length", length, kMaxFileBytes); }
};

/// This block again: so many bytes.
struct Retry {
  uint32_t length = 0;

  static constexpr std::string_view kName = "RETRY";
  void fields(auto& c) {
    c.number("length", length);
    c.require(length > 0 && length <= kMaxBlockBytes, "length", "not a block's");
  }
};

/// The sender has heard the verdict, and says the same.
struct Bye {
  ExitStatus status{};

  static constexpr std::string_view kName = "BYE";
  void fields(auto& c) { c.status("status", status); }
};

/// Connections that will carry blocks; the answer has the same.
struct Streams {
  uint16_t count = 0;

  static constexpr std::string_view kName = "STREAMS";
  void fields(auto& c) {
    c.number("count", count);
    c.require(count >= 2 && count <= kMaxStreams, "count", "not from 2 to 16");
  }
};

struct Heartbeat {
  uint64_t taken = 0;  // counted messages; 0 on a further connection

  static constexpr std::string_view kName = "HEARTBEAT";
  void fields(auto& c) { c.number("messages taken", taken); }
};

constexpr size_t kSealBytes = 8;
/// body plus the XXH3-64 of it.
Bytes seal(Bytes body);
/// Checks and removes the seal; the view is into payload. Throws Error{Protocol}.
ByteView unseal(ByteView payload);

}  // namespace zx
