// SPDX-License-Identifier: MIT
// The messages: one struct, one encode and one decode each. Formats, in the order of the fields,
// are in zsend-protocol(7); golden bytes of each in tests/unit/golden_test.cc. Decoders throw
// Error{Protocol} that names the field, Error{Refused} for a list of names over its limits. A
// payload on the wire is the encoded message followed by its XXH3-64 (seal/unseal); DATA has none,
// its DIGEST is the check.
#pragma once

#include <string>
#include <vector>

#include "common/base/exit_status.h"
#include "common/integrity/digest.h"
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

using SessionId = std::array<std::byte, 16>;

/// HELLO (connector) and WELCOME (listener): what each side is and wants.
struct Terms {
  PrefaceBytes connector_preface{}, listener_preface{};  // as this side wrote or read them
  uint64_t required_features = 0;                        // an unknown bit ends the session
  uint64_t optional_features = 0;                        // unknown bits are ignored
  SessionId session{};  // chosen by the connector, repeated by the listener
  uint32_t max_block_bytes = kDefaultBlockBytes;
  Durability durability = Durability::Unset;
  Overwrite overwrite = Overwrite::Unset;
  bool file_digest = false;          // wants XXH3-128 flat over each file in END
  bool no_target_directory = false;  // -T: the path is the name, never a directory to put it in
  bool preserve = false;             // -p: keep mode and times
  bool mkdir = false;                // --mkdir: make missing directories of the path
  bool path_is_directory = false;    // the path was written with a trailing slash
  bool to_pipe = false;              // from a receiver: into a pipe or a command, not into files
  bool several = false;              // from a sender: more than one entry may come
  uint64_t rate_limit = 0;           // bytes/s on the wire from the sender; 0: no wish
  // This side takes a connection for lost when nothing has come for so long (--timeout / 4, 15 s at
  // most): the peer is never silent for half of it. From 250 to 15000.
  uint32_t silence_ms = 15000;
  uint16_t streams = 0;           // connections at most, 1 to kMaxStreams; 0: no wish
  std::vector<std::string> path;  // from the connector: where, below the listener's root
  std::string build;              // program and version, for messages
};

/// JOIN, both ways: this connection belongs to that session.
struct Join {
  PrefaceBytes connector_preface{}, listener_preface{};  // as this side wrote or read them
  SessionId session{};
  uint16_t stream = 0;      // which connection of the session it is or replaces; 0: the first
  uint32_t generation = 0;  // how many attempts there were before: it only goes up
  uint64_t taken = 0;       // counted messages that this side has taken; 0 but for stream 0
};

constexpr uint8_t kEntryRegularFile = 1;

/// ENTRY: announces a file. The size is what it was when it was opened, or of an open-ended entry a
/// guess; END has the actual one.
struct EntryInfo {
  std::vector<std::string> name;
  uint64_t size = 0;
  int64_t mtime_sec = 0;
  uint32_t mtime_nsec = 0;
  uint32_t mode = 0;        // permission bits only, 07777
  bool sparse = false;      // HOLEs will come: do not preallocate
  bool open_ended = false;  // out of a pipe: the size is not known, 0 or what somebody expects
};

struct BlockDigest {
  uint32_t length = 0;  // may be less than DATA's length: the rest of that was padding
  Digest digest{};
  bool operator==(const BlockDigest&) const = default;
};

struct EntryEnd {
  bool changed = false;  // size, mtime or ctime differ from those at open
  ExitStatus failure{};  // Ok, or why the sender gave the entry up
  Digest block_sum{};    // DigestSum of all block_part()
  bool has_file_digest = false;
  Digest file_digest{};
  std::string reason;  // text for failure
};

/// Which data path ran at one end.
struct PathReport {
  std::string engine;   // "sendfile", "splice", "readwrite"
  std::string tls;      // "ktls", "user", "none"
  std::string why;      // why not a better engine; empty when it was the best
  std::string tls_why;  // why the record layer is not in the kernel
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
};

struct Fin {
  uint64_t entries = 0;  // the id of the last one
  PathReport path;
  SideFigures figures;
};

struct Verdict {
  ExitStatus status{};
  bool durable = false;
  uint64_t entries = 0, bytes = 0;
  Digest root{};
  uint64_t retransmitted_blocks = 0;
  PathReport path;
  SideFigures figures;
};

/// RESULTS: what became of entries, for good. One for each run of ids with the same.
struct Result {
  uint64_t first = 0;
  uint32_t count = 0;
  ExitStatus status{};   // Ok: committed, durable as agreed
  bool skipped = false;  // with Ok: --overwrite left the existing file alone
  std::string reason;    // of a failure
};

struct ErrorMessage {
  ExitStatus status{};  // never Ok
  std::string text;
};

/// So many fit into one message, whatever their reasons.
constexpr size_t kMaxResults = kMaxMessageBytes / (kMaxTextBytes + 32);

Bytes encode(const Terms&);
Bytes encode(const Join&);
Bytes encode(const EntryInfo&);
Bytes encode(const BlockDigest&);
Bytes encode(const EntryEnd&);
Bytes encode(const Fin&);
Bytes encode(const Verdict&);
/// Not more than kMaxResults.
Bytes encode_results(std::span<const Result>);
/// taken: counted messages; 0 on a further connection.
Bytes encode_heartbeat(uint64_t taken);
Bytes encode(const ErrorMessage&);
Bytes encode_hole(uint64_t length);
Bytes encode_retry(uint32_t length);
Bytes encode_bye(ExitStatus status);
Bytes encode_streams(uint16_t count);

Terms decode_terms(ByteView);
Join decode_join(ByteView);
EntryInfo decode_entry(ByteView);
BlockDigest decode_block_digest(ByteView);
EntryEnd decode_entry_end(ByteView);
Fin decode_fin(ByteView);
Verdict decode_verdict(ByteView);
std::vector<Result> decode_results(ByteView);
uint64_t decode_heartbeat(ByteView);
ErrorMessage decode_error(ByteView);
uint64_t decode_hole(ByteView);
uint32_t decode_retry(ByteView);
ExitStatus decode_bye(ByteView);
uint16_t decode_streams(ByteView);

constexpr size_t kSealBytes = 8;
/// body plus the XXH3-64 of it.
Bytes seal(Bytes body);
/// Checks and removes the seal; the view is into payload. Throws Error{Protocol}.
ByteView unseal(ByteView payload);

}  // namespace zx
