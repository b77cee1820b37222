// SPDX-License-Identifier: MIT
// How much of a file is in the page cache.
#pragma once

#include <cstdint>
#include <optional>

namespace zx {

/// Bytes of the first `size` of an open file that are in the page cache now. By cachestat(2), and
/// on kernels before 6.5 by mincore(2) on samples of a mapping. Nothing where the kernel does not
/// say: it tells only the owner and who may write to the file. Does not read the file. Never
/// throws.
std::optional<uint64_t> resident_bytes(int fd, uint64_t size);

}  // namespace zx
