// SPDX-License-Identifier: MIT
// Names of the peer. They travel as lists of components and are rejected, never repaired: a bad
// name is a hostile peer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace zx {

/// Begins every temporary file; a peer may not send such a name.
constexpr std::string_view kTempPrefix = ".zrecv-";

/// Throws Error{Refused} unless it is one directory entry: 1 to 255 bytes, no '/', no NUL, not "."
/// or "..", and not one of our temporary names.
void check_component(std::string_view name);

/// check_component() on each; an empty list is refused too.
void check_path(const std::vector<std::string>& components);

/// "a/b/c", for messages.
std::string join_path(const std::vector<std::string>& components);

/// The last component of an operand's path: "dir/x/" gives "x". Empty for "/" and "".
std::string base_name(std::string_view path);

}  // namespace zx
