// SPDX-License-Identifier: MIT
// Access to an open file that goes past the page cache (O_DIRECT).
#pragma once

#include <cstddef>

#include "common/base/unique_fd.h"

namespace zx {

/// A second descriptor of a file, with O_DIRECT.
struct DirectFile {
  UniqueFd fd;
  int error = 0;     // why there is none: an errno
  size_t align = 0;  // offset and length must be multiples of this; memory begins on a page
};

enum class DirectAccess { Read, Write };

/// Opens the file behind `fd` again, through /proc/self/fd, so that it is the same file whatever
/// its name now means. The alignment is what statx(2) says (kernel 6.1), else a page: at least a
/// page in any case, so that no page is written both directly and through the cache. Never throws.
DirectFile open_direct(int fd, DirectAccess access);

/// A file system in memory (tmpfs, ramfs): there is no disk behind the page cache.
bool lives_in_memory(int fd);

}  // namespace zx
