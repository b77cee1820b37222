// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace zx {

/// Fills with bytes fit for keys, from getrandom(2). Blocks only before the kernel's pool is ready,
/// early at boot. Throws Error{Internal}.
void fill_random(std::span<std::byte> out);
/// So many such bytes as digits.
std::string random_hex(size_t bytes);

}  // namespace zx
