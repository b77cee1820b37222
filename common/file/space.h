// SPDX-License-Identifier: MIT
// Room, length and metadata of an open file that is written. `what` names it in errors: quoted.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/caveat.h"

namespace zx {

/// Whether a file that is shorter keeps its length.
enum class KeepLength { No, Yes };

/// Reserves blocks for `size` bytes, where that is possible (not: go on). Running out of space is
/// so found before the first byte. Throws Error{NoSpace|Refused}.
void reserve_space(int fd, uint64_t size, const std::string& what,
                   KeepLength keep = KeepLength::No);

/// Sets the length, where it is another one. Throws Error{FileIo|NoSpace|Refused}.
void set_length(int fd, uint64_t size, const std::string& what);

/// What was not possible is a caveat, with its errno; any other failure is thrown as
/// Error{FileIo|NoSpace}.
void caveat_or_throw(Caveat caveat, const std::string& what, int error, Caveats& caveats);

/// Permission bits, when given, and modification time, when given. Throws Error{FileIo|NoSpace}.
void set_metadata(int fd, const mode_t* mode, const timespec* mtime, const std::string& what,
                  Caveats& caveats);

/// fsync(2), once: a failed one is final, a second could claim success for lost data. `whole`:
/// syncfs(2), of its file system. Throws Error{FileIo|NoSpace}.
void sync_to_disk(int fd, const std::string& what, Caveats& caveats, bool whole = false);

/// The size of a block device, of which fstat(2) says 0. Nothing, and errno, when it cannot be had.
std::optional<uint64_t> block_device_bytes(int fd);

}  // namespace zx
