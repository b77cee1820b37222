// SPDX-License-Identifier: MIT
// LD_PRELOAD library: a program that has lost its way. Whenever it makes a file or renames one, on whatever thread, it
// tries to write below the directory $STRAY too, and appends what came of it to the file $STRAYED, which it has opened
// before: "OPERATION ERRNO", 0 when it could.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))
typedef int (*Openat)(int, const char *, int, ...);

static int told = -1;

__attribute__((constructor)) static void begin(void) {
  if (getenv("STRAYED")) told = NEXT(Openat, "openat")(AT_FDCWD, getenv("STRAYED"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void tell(const char *operation, int result) {
  if (told >= 0) dprintf(told, "%s %d\n", operation, result < 0 ? errno : 0);
}

static void stray(const char *operation) {
  static __thread int within;
  const char *where = getenv("STRAY");
  char path[4096];
  if (!where || within++) return;
  const int before = errno;
  snprintf(path, sizeof path, "%s/%s", where, operation);
  const int fd = NEXT(Openat, "openat")(AT_FDCWD, path, O_WRONLY | O_CREAT, 0600);
  tell(operation, fd);
  if (fd >= 0) close(fd);
  snprintf(path, sizeof path, "%s/old", where);
  tell(operation, truncate(path, 0));
  tell(operation, unlink(path));
  errno = before;
  within--;
}

static int open_or_stray(const char *symbol, int dir, const char *path, int flags, mode_t mode) {
  if (flags & O_CREAT) stray("openat");
  return NEXT(Openat, symbol)(dir, path, flags, mode);
}

#define OPENAT(name)                                          \
  int name(int dir, const char *path, int flags, ...) {       \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    const mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                             \
    return open_or_stray(#name, dir, path, flags, mode);      \
  }
OPENAT(openat)
OPENAT(openat64)

int renameat2(int from_dir, const char *from, int dir, const char *to, unsigned flags) {
  stray("renameat2");
  return NEXT(int (*)(int, const char *, int, const char *, unsigned), "renameat2")(from_dir, from, dir, to, flags);
}

int renameat(int from_dir, const char *from, int dir, const char *to) {
  stray("renameat");
  return NEXT(int (*)(int, const char *, int, const char *), "renameat")(from_dir, from, dir, to);
}
