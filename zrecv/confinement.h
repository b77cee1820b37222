// SPDX-License-Identifier: MIT
// Confinement: a second net below the held directories (file/held_dir.h): from a moment on the
// kernel itself refuses what would be written elsewhere, whatever a fault of this program might try
// (Landlock, since Linux 5.13). The first net does not depend on it: where it is missing, nothing
// else changes.
#pragma once

#include <string>

namespace zx {

/// This thread, and each that is started from it after this, makes, replaces, renames, removes and
/// opens for writing only what is `place` or below it; for reading everything, as before, and what
/// is open for writing already stays so. Mode, owner, times and attributes are not restricted: the
/// kernel has no such right. Not to be undone, and what is executed after this inherits it.
/// `links_across`: hard links between directories of the place are needed. Returns why it does not
/// hold, or "" when it does. Never throws.
std::string confine_writing(int place, bool links_across) noexcept;

}  // namespace zx
