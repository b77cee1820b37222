// SPDX-License-Identifier: MIT
// The table of exit statuses: the only place that has the numbers. zsend(1), zrecv(1) and the
// README repeat it (tests/e2e/exit_table.sh keeps them equal). The numbers also travel in ERROR,
// RESULT and VERDICT frames.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace zx {

enum class ExitStatus : int {
  Ok = 0,              // all verified and committed
  Internal = 1,        // a bug here
  Usage = 2,           // the command line
  Auth = 3,            // key, certificate, TLS
  Protocol = 4,        // the peer broke the protocol, or no common version
  Network = 5,         // connection failed or was lost
  FileIo = 6,          // file I/O, either side
  NoSpace = 7,         // space, quota, inodes
  Integrity = 8,       // mismatch that retransmission did not cure
  Refused = 9,         // by policy: unsafe name, exists, limit, plaintext
  Timeout = 10,        // a deadline passed
  CommandFailed = 11,  // an --exec command
  Partial = 23,        // some entries failed, the rest is committed
  SourceChanged = 24,  // all committed, but a source changed meanwhile
};

/// The word for a status in messages and in the JSON "status" field ("ok", "no-space", ...).
std::string_view status_name(ExitStatus status);

/// The status with this number, if the table has it: for numbers that came from the peer.
std::optional<ExitStatus> status_from_number(uint32_t number);

/// The one of the two that a run with both outcomes ends with. By an explicit order of severity,
/// not by number.
ExitStatus more_severe(ExitStatus a, ExitStatus b);

/// The class of a failed file operation: NoSpace for space, quota and inodes, Refused for a limit
/// on the size of files, else FileIo.
ExitStatus file_status_of_errno(int error);

}  // namespace zx
