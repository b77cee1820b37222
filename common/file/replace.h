// SPDX-License-Identifier: MIT
// What may replace what, asked before any data moves: what a rename will be refused at the end can
// be known at the beginning, and said with the way out.
#pragma once

#include <sys/stat.h>

#include <string>

#include "common/file/held_dir.h"

namespace zx {

/// Why a file cannot get the name of `file` by rename(2), with the next step; "" when it can. `dir`
/// is what holds it, `user` who renames, `any_owner` whether CAP_FOWNER does it.
std::string why_not_replaced(const struct statx& dir, const struct statx& file, uid_t user,
                             bool any_owner);

/// Throws Error{FileIo} when this user cannot make files in the directory and rename them there.
void check_can_hold_new(const HeldDir& dir);

/// Throws Error{FileIo} when what has this name cannot be replaced by a regular file.
void check_can_be_replaced(const HeldDir& dir, const std::string& name);

/// Whether times may be cut to even seconds where this descriptor is: FAT does it, and of what
/// comes through FUSE or SMB nobody knows what is behind it.
bool keeps_even_seconds(int fd);

}  // namespace zx
