// SPDX-License-Identifier: MIT
// Files that the operator named on the command line: key files, --json and --digest outputs.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/base/exit_status.h"
#include "common/base/unique_fd.h"

namespace zx {

/// Throws Error{refusal} when the last component is a symbolic link that belongs neither to root
/// nor to this user: another user may have planted it to have something overwritten or read.
void refuse_foreign_link(const std::string& path, const std::string& what,
                         ExitStatus refusal = ExitStatus::FileIo);

/// open(2) after refuse_foreign_link(); never blocks on a FIFO, never becomes the controlling
/// terminal. `what` names the file in errors ("key file"). Throws Error{refusal|FileIo|NoSpace}.
UniqueFd open_operator_file(const std::string& path, int flags, mode_t mode,
                            const std::string& what, ExitStatus refusal = ExitStatus::FileIo);

/// The content of a file that holds a secret: regular, of the user or root, without group and other
/// permission bits. Throws Error{Auth} with advice where it is not, or longer than max_bytes;
/// Error{FileIo} when it cannot be read. The caller wipes it.
std::string read_private_file(const std::string& path, const std::string& what, size_t max_bytes);

}  // namespace zx
