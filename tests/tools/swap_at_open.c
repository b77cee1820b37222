// SPDX-License-Identifier: MIT
// LD_PRELOAD library: somebody else who, in the moment in which the directory of the name SWAP_NAME
// is opened below another one, has put something in its place: a link to SWAP_LINK, or the
// directory SWAP_DIR.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void swap(int dir, const char* path, int flags) {
  const char *name = getenv("SWAP_NAME"), *link = getenv("SWAP_LINK"), *other = getenv("SWAP_DIR");
  static int done;
  if (!name || strcmp(path, name) != 0 || !(flags & O_DIRECTORY) || done++) return;
  if (renameat(dir, path, dir, "swapped") != 0) return;
  if (link ? symlinkat(link, dir, path) : renameat(AT_FDCWD, other, dir, path))
    perror("swap_at_open");
}

typedef int (*Open)(int, const char*, int, ...);
#define HOOK(name)                                                                  \
  int name(int dir, const char* path, int flags, ...) {                             \
    va_list more;                                                                   \
    va_start(more, flags);                                                          \
    const mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                                   \
    swap(dir, path, flags);                                                         \
    return ((Open)dlsym(RTLD_NEXT, "openat"))(dir, path, flags, mode);              \
  }
// As glibc calls it, by what the program was compiled with.
HOOK(openat64)
HOOK(__openat64_2)
HOOK(__openat_2)
