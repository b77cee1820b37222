// SPDX-License-Identifier: MIT
// LD_PRELOAD library: a file system with the faults that ODD_FS names, for names that are given below a directory:
//   one-case      upper and lower case are one name
//   no-noreplace  renameat2 knows no flags (EOPNOTSUPP; with "einval" EINVAL)
//   no-link       no hard links
//   no-unlink     what has two names keeps them; with "late" all but the first such
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static int has(const char *fault) {
  const char *faults = getenv("ODD_FS");
  return faults && strstr(faults, fault) != NULL;
}

static int fail(int error) {
  errno = error;
  return -1;
}

// The one spelling of a name; temporary names have no upper case.
static const char *spelled(const char *name, char *out) {
  if (!has("one-case") || !*name || strchr(name, '/')) return name;
  size_t i = 0;
  for (; name[i] && i < 255; i++) out[i] = (char)tolower((unsigned char)name[i]);
  out[i] = 0;
  return out;
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

int renameat2(int from_dir, const char *from, int dir, const char *to, unsigned flags) {
  char name[256];
  if (flags && has("no-noreplace")) return fail(has("einval") ? EINVAL : EOPNOTSUPP);
  return NEXT(int (*)(int, const char *, int, const char *, unsigned), "renameat2")(from_dir, from, dir,
                                                                                     spelled(to, name), flags);
}

int renameat(int from_dir, const char *from, int dir, const char *to) {
  char name[256];
  return NEXT(int (*)(int, const char *, int, const char *), "renameat")(from_dir, from, dir, spelled(to, name));
}

int linkat(int from_dir, const char *from, int dir, const char *to, int flags) {
  char name[256];
  if (has("no-link")) return fail(EPERM);
  return NEXT(int (*)(int, const char *, int, const char *, int), "linkat")(from_dir, from, dir, spelled(to, name),
                                                                             flags);
}

int unlinkat(int dir, const char *name, int flags) {
  struct stat st;
  static int late;
  if (has("no-unlink") && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink > 1 &&
      (!has("late") || late++ > 0))
    return fail(EPERM);
  return NEXT(int (*)(int, const char *, int), "unlinkat")(dir, name, flags);
}

int fstatat64(int dir, const char *path, struct stat64 *st, int flags) {
  char name[256];
  return NEXT(int (*)(int, const char *, struct stat64 *, int), "fstatat64")(dir, spelled(path, name), st, flags);
}

int statx(int dir, const char *path, int flags, unsigned mask, struct statx *out) {
  char name[256];
  return NEXT(int (*)(int, const char *, int, unsigned, struct statx *), "statx")(dir, spelled(path, name), flags, mask,
                                                                                   out);
}

int mkdirat(int dir, const char *path, mode_t mode) {
  char name[256];
  return NEXT(int (*)(int, const char *, mode_t), "mkdirat")(dir, spelled(path, name), mode);
}

int openat64(int dir, const char *path, int flags, ...) {
  char name[256];
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return NEXT(int (*)(int, const char *, int, ...), "openat64")(dir, spelled(path, name), flags, mode);
}
