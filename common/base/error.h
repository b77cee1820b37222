// SPDX-License-Identifier: MIT
// How things fail. Three kinds, three mechanisms:
//   the session cannot go on      -> Error is thrown; Session::guard() tells the peer,
//                                    run_program() prints it and makes it the exit status;
//   one entry failed              -> a value in the ledger (session/ledger.h). An Error thrown
//                                    while one entry is opened or committed becomes its outcome
//                                    at once (zrecv/incoming_entry, zrecv/entry_receiver,
//                                    zrecv/batch);
//   expected absence, would-block -> std::optional or a small enum.
// Nothing in common/ but ui prints.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "common/base/exit_status.h"

namespace zx {

/// Who found the error: a local one is told to the peer, one that came from the peer is not sent
/// back to it.
enum class Origin { Local, Peer };

class Error : public std::runtime_error {
 public:
  /// message: one line "object: operation: reason", names already quoted.
  Error(ExitStatus status, const std::string& message, Origin origin = Origin::Local)
      : std::runtime_error(message), status_(status), origin_(origin) {}
  ExitStatus status() const { return status_; }
  Origin origin() const { return origin_; }

 private:
  ExitStatus status_;
  Origin origin_;
};

/// The errno says that kernel or file system cannot do such a thing at all, here.
bool is_unsupported(int error);

/// The errno says that it may not be done: rights, a mount without owners, a system call filter.
bool is_denied(int error);

/// strerror(3) without its static buffer.
std::string errno_text(int error);

/// Throws Error{status, "what: <text of error>"}.
[[noreturn]] void throw_errno(ExitStatus status, std::string_view what, int error);

/// The same for a file operation: the status follows from the errno (no space or file I/O).
[[noreturn]] void throw_file_errno(std::string_view what, int error);

}  // namespace zx
