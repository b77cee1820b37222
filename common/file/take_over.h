// SPDX-License-Identifier: MIT
// What a file takes over from the one that it replaces, so that it is as if that had been written
// in place: owner, group, ACL and mode; and the mode of one that replaces nothing.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "common/base/caveat.h"
#include "common/file/held_dir.h"

namespace zx {

/// Gives the open new file owner, group and ACL of `old`, which is `name` in `dir`. Returns the
/// mode that goes with those, to be set after it; nothing when the old one is somebody else's and
/// cannot stay so: then its mode means nothing either, and the new one is as one that replaces
/// nothing. Throws Error{FileIo|NoSpace}.
std::optional<mode_t> take_over(int fd, const HeldDir& dir, const std::string& name,
                                const struct stat& old, Caveats& caveats);

/// The permission bits that a new file in `dir` may have: as open(2) has it, the umask counts only
/// where the directory has no default ACL.
mode_t most_bits_of_new(const HeldDir& dir);

}  // namespace zx
