// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

namespace zx {

/// Fills with bytes fit for keys, from getrandom(2). Blocks only before the kernel's pool is ready,
/// early at boot. Throws Error{Internal}.
void fill_random(std::span<std::byte> out);

}  // namespace zx
