// SPDX-License-Identifier: MIT
// Room for a file that is going to be written.
#pragma once

#include <cstdint>

namespace zx {

/// Whether a file that is shorter keeps its length.
enum class KeepLength { No, Yes };

/// Reserves blocks for `size` bytes, where the file system can (not: 0 all the same). Running out
/// of space is so found before the first byte. 0 or an errno.
int reserve_space(int fd, uint64_t size, KeepLength keep = KeepLength::No);

}  // namespace zx
