// SPDX-License-Identifier: MIT
// What only block devices need.
#pragma once

#include <cstdint>
#include <optional>

namespace zx {

/// The size of the device, of which fstat(2) says 0. Nothing, and errno, when it cannot be had.
std::optional<uint64_t> block_device_bytes(int fd);

}  // namespace zx
