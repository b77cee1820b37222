// SPDX-License-Identifier: MIT
// Files that the operator named on the command line: key files, --json and --digest outputs.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/base/exit_status.h"
#include "common/base/unique_fd.h"

namespace zx {

/// Throws Error{refusal} when the path leads through a symbolic link in a sticky directory that all
/// may write to, and the link belongs neither to root, nor to this user, nor to the owner of the
/// directory: another user may have planted it to have something overwritten or read. (The kernel
/// does the same where fs.protected_symlinks is on.)
void refuse_planted_links(const std::string& path, const std::string& what,
                          ExitStatus refusal = ExitStatus::FileIo);

/// The same, and the last component is no link that belongs neither to root nor to this user,
/// wherever it is.
void refuse_foreign_link(const std::string& path, const std::string& what,
                         ExitStatus refusal = ExitStatus::FileIo);

/// open(2) after refuse_foreign_link(); waits for a lease, but not on a FIFO; never becomes the
/// controlling terminal. `what` names the file in errors ("key file"). Throws
/// Error{refusal|FileIo|NoSpace}.
UniqueFd open_operator_file(const std::string& path, int flags, mode_t mode,
                            const std::string& what, ExitStatus refusal = ExitStatus::FileIo);

/// Who may read a file: anybody, or nobody but the user and root (no group and other bits). A file
/// of root may also be for a group, or by an ACL for the user, to read: only root can have made it
/// so, as systemd does for a service.
enum class Reader { Anybody, OnlyUser };

/// The content of a regular file, or of a pipe without a name (`<(...)`). Throws Error{Auth} with
/// advice where it is something else, may be read by others than `readers`, or is longer than
/// max_bytes; Error{FileIo} when it cannot be read. A secret is wiped by the caller.
std::string read_regular_file(const std::string& path, const std::string& what, size_t max_bytes,
                              Reader readers);

}  // namespace zx
