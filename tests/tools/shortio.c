// SPDX-License-Identifier: MIT
// LD_PRELOAD library: every third data call moves about a third of what was asked, every fifth fails with
// EINTR, as signals and full buffers make them. At exit the number of calls it changed goes to the
// file SHORTIO_LOG.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_ulong calls, changed;

// 1: fail with EINTR; else *count may have become smaller.
static int disturb(size_t *count) {
  unsigned long n = atomic_fetch_add(&calls, 1);
  if (n % 5 == 4) {
    atomic_fetch_add(&changed, 1);
    errno = EINTR;
    return 1;
  }
  if (n % 3 == 2 && *count > 1) {
    atomic_fetch_add(&changed, 1);
    *count = *count / 3 + 1;
  }
  return 0;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

ssize_t recv(int fd, void *data, size_t n, int flags) {
  REAL(recv);
  return disturb(&n) ? -1 : real(fd, data, n, flags);
}
ssize_t send(int fd, const void *data, size_t n, int flags) {
  REAL(send);
  return disturb(&n) ? -1 : real(fd, data, n, flags);
}
ssize_t pread64(int fd, void *data, size_t n, off64_t at) {
  REAL(pread64);
  return disturb(&n) ? -1 : real(fd, data, n, at);
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  REAL(pwrite64);
  return disturb(&n) ? -1 : real(fd, data, n, at);
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t n) {
  extern ssize_t sendfile64(int, int, off64_t *, size_t);
  static ssize_t (*real)(int, int, off64_t *, size_t);
  if (!real) real = (ssize_t(*)(int, int, off64_t *, size_t))dlsym(RTLD_NEXT, "sendfile64");
  return disturb(&n) ? -1 : real(out, in, at, n);
}
ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags) {
  REAL(splice);
  return disturb(&n) ? -1 : real(in, in_at, out, out_at, n, flags);
}

// Opened at once: later zrecv may write below its destination only.
static FILE *f;
__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SHORTIO_LOG");
  f = path ? fopen(path, "we") : NULL;
}
__attribute__((destructor)) static void report(void) {
  if (!f) return;
  fprintf(f, "%lu\n", atomic_load(&changed));
  fclose(f);
}
