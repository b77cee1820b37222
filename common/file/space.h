// SPDX-License-Identifier: MIT
// Room, length and metadata of an open file that is written. `what` names it in errors: quoted.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <optional>
#include <string>

namespace zx {

/// Whether a file that is shorter keeps its length.
enum class KeepLength { No, Yes };

/// Reserves blocks for `size` bytes, where the file system can (not: go on). Running out of space
/// is so found before the first byte. Throws Error{NoSpace|FileIo|Refused}.
void reserve_space(int fd, uint64_t size, const std::string& what,
                   KeepLength keep = KeepLength::No);

/// Sets the length, where it is another one. Throws as reserve_space().
void set_length(int fd, uint64_t size, const std::string& what);

/// Permission bits, when given, and modification time, when given. Throws Error{FileIo}.
void set_metadata(int fd, const mode_t* mode, const timespec* mtime, const std::string& what);

/// The size of a block device, of which fstat(2) says 0. Nothing, and errno, when it cannot be had.
std::optional<uint64_t> block_device_bytes(int fd);

}  // namespace zx
