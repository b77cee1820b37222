// SPDX-License-Identifier: MIT
// LD_PRELOAD library: a slow source or destination. What reads a file (SLOW=read) or writes one (SLOW=write)
// moves SLOW_BYTES a second at most; sockets and pipes are as fast as they are. It sleeps for 50 ms or more:
// how late a busy machine wakes it does not count then. With SLOW=sync what makes files durable waits until the file
// SLOW_UNTIL is there; with SLOW=make each new directory takes two milliseconds.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int is_file(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

// The time that so many bytes of this file take, if it is of the slow kind.
static ssize_t slow(const char *kind, int fd, ssize_t bytes) {
  const char *wanted = getenv("SLOW"), *rate = getenv("SLOW_BYTES");
  if (bytes <= 0 || !wanted || !rate || strcmp(wanted, kind) != 0 || !is_file(fd)) return bytes;
  const double seconds = (double)bytes / strtod(rate, NULL);
  static double owed;
  owed += seconds;
  if (owed < 0.05) return bytes;
  struct timespec wait = {(time_t)owed, (long)((owed - (double)(time_t)owed) * 1e9)};
  owed = 0;
  while (nanosleep(&wait, &wait) != 0) continue;
  return bytes;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

// No more at a time than a disk gives in a moment.
static size_t piece(size_t n) { return n < 256 << 10 ? n : 256 << 10; }

ssize_t pread64(int fd, void *data, size_t n, off64_t at) {
  REAL(pread64);
  return slow("read", fd, real(fd, data, n, at));
}
ssize_t sendfile64(int out, int in, off64_t *at, size_t n) {
  extern ssize_t sendfile64(int, int, off64_t *, size_t);
  static ssize_t (*real)(int, int, off64_t *, size_t);
  if (!real) real = (ssize_t(*)(int, int, off64_t *, size_t))dlsym(RTLD_NEXT, "sendfile64");
  slow("read", in, (ssize_t)piece(n));
  return real(out, in, at, piece(n));
}
ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
  REAL(pwrite64);
  slow("write", fd, (ssize_t)n);
  return real(fd, data, n, at);
}
ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t n, unsigned flags) {
  REAL(splice);
  return slow("write", out, real(in, in_at, out, out_at, n, flags));
}

static void wait_until_told(void) {
  const char *wanted = getenv("SLOW"), *told = getenv("SLOW_UNTIL");
  const struct timespec moment = {0, 10000000};
  while (wanted && told && strcmp(wanted, "sync") == 0 && access(told, F_OK) != 0) nanosleep(&moment, NULL);
}
int fsync(int fd) {
  REAL(fsync);
  wait_until_told();
  return real(fd);
}
int syncfs(int fd) {
  REAL(syncfs);
  wait_until_told();
  return real(fd);
}
int mkdirat(int dir, const char *name, mode_t mode) {
  REAL(mkdirat);
  const char *wanted = getenv("SLOW");
  const struct timespec moment = {0, 2000000};
  if (wanted && strcmp(wanted, "make") == 0) nanosleep(&moment, NULL);
  return real(dir, name, mode);
}
