// SPDX-License-Identifier: MIT
#include "zrecv/confinement.h"

#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

// Newer than the headers of Debian 12.
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif

namespace zx {
namespace {

// Version 1 of its interface, Linux 5.13: files and directories of each kind, and their removal. A
// rename within a directory needs the rights to make and to remove.
constexpr uint64_t kWritten = LANDLOCK_ACCESS_FS_WRITE_FILE;
constexpr uint64_t kMade = LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |
                           LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                           LANDLOCK_ACCESS_FS_REMOVE_DIR;
// Nowhere: they are not in the protocol.
constexpr uint64_t kNeverMade = LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK;
// Version 2, Linux 5.19: links and renames from one directory to another. Before, whoever is
// restricted at all can make none.
constexpr uint64_t kAcross = LANDLOCK_ACCESS_FS_REFER;
// Version 3, Linux 6.2: truncation. Before, it is not restricted.
constexpr uint64_t kTruncated = LANDLOCK_ACCESS_FS_TRUNCATE;

// Not in glibc.
int create_ruleset(const landlock_ruleset_attr* rules, size_t size, uint32_t flags) {
  return static_cast<int>(syscall(SYS_landlock_create_ruleset, rules, size, flags));
}

std::string failed(const char* operation) {
  return std::string(operation) + ": " + errno_text(errno);
}

std::string confine(int place, bool links_across) {
  const int version = create_ruleset(nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (version < 0) return errno == ENOSYS ? "the kernel has no Landlock" : failed("Landlock");
  if (version < 2 && links_across) return "Landlock before Linux 5.19 would forbid hard links";

  struct stat st {};
  if (fstat(place, &st) != 0) return failed("stat");
  uint64_t files = kWritten, names = kMade;
  if (version >= 2) names |= kAcross;
  if (version >= 3) files |= kTruncated;
  const landlock_ruleset_attr handled{.handled_access_fs = files | names | kNeverMade};
  const UniqueFd rules(create_ruleset(&handled, sizeof handled, 0));
  if (!rules.valid()) return failed("Landlock rules");
  landlock_path_beneath_attr below{};
  below.allowed_access = S_ISDIR(st.st_mode) ? files | names : files;
  below.parent_fd = place;
  if (syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &below, 0) != 0)
    return failed("Landlock rule");
  // Who is not root may restrict only what cannot get more rights by executing something.
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return failed("no new privileges");
  if (syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return failed("Landlock");
  return "";
}

}  // namespace

std::string confine_writing(int place, bool links_across) noexcept {
  try {
    return confine(place, links_across);
  } catch (...) {
    return "no memory";
  }
}

}  // namespace zx
