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

bool is_component(std::string_view name);

/// check_component() on each; an empty list is refused too.
void check_path(const std::vector<std::string>& components);

/// The components of a path that somebody else has chosen, for a walk below a directory of the
/// operator; none when it means that directory. Throws Error{Refused} where the path is absolute,
/// begins with '~', or has "..", or another name that check_component() refuses.
std::vector<std::string> components_below(std::string_view path);

/// What is between the slashes; empty where two meet, and at an end that is one.
std::vector<std::string_view> split_path(std::string_view path);

/// "a/b/c", for messages.
std::string join_path(const std::vector<std::string>& components);

/// What to tell who has named a file of another machine as if a shell there read it, when it is
/// missing: " (...)", or "" for a name that a shell would leave as it is.
std::string literal_remark(std::string_view path);

/// The last component of an operand's path: "dir/x/" gives "x". Empty for "/" and "".
std::string base_name(std::string_view path);

}  // namespace zx
