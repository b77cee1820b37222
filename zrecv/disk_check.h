// SPDX-License-Identifier: MIT
// --verify=disk: what a file holds, read again from its disk. Blocks are verified in the page cache
// as they come; what the disk makes of them shows only when they are read past it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/caveat.h"
#include "common/integrity/digest.h"

namespace zx {

/// One that was verified.
struct WrittenBlock {
  uint64_t offset = 0;
  uint32_t length = 0;
};

/// The file is synced, where that was agreed. `blocks`, in any order, have this sum; what is
/// between them reads as zeros. By O_DIRECT; where there is none, after the pages were dropped
/// (posix_fadvise(2)). A disk may still answer from a cache of its own. Blocking, looks for a stop
/// signal. Throws Error{Integrity} when it holds something else, Error{FileIo} when it cannot be
/// read. Where there is no way past the page cache that is a caveat.
void check_on_disk(int fd, const std::string& what, std::vector<WrittenBlock> blocks, uint64_t size,
                   const Digest& sum, Caveats& caveats);

}  // namespace zx
