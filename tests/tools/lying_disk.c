// SPDX-License-Identifier: MIT
// LD_PRELOAD library: a disk that gives back something else than was written. What is read past the page
// cache (O_DIRECT) has its byte at the offset LYING_DISK_AT inverted; -1: none. At exit the number of such reads
// goes to the file LYING_DISK_LOG.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_ulong reads;

static ssize_t lie(int fd, void *data, ssize_t n, off_t offset) {
  const char *at = getenv("LYING_DISK_AT");
  const off_t lie_at = at ? atoll(at) : -1;
  if (n <= 0 || (fcntl(fd, F_GETFL) & O_DIRECT) == 0) return n;
  atomic_fetch_add(&reads, 1);
  if (lie_at >= offset && lie_at < offset + n) ((unsigned char *)data)[lie_at - offset] ^= 1;
  return n;
}

ssize_t pread64(int fd, void *data, size_t n, off64_t offset) {
  static ssize_t (*real)(int, void *, size_t, off64_t);
  if (!real) real = (ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
  return lie(fd, data, real(fd, data, n, offset), offset);
}

ssize_t pread(int fd, void *data, size_t n, off_t offset) {
  return pread64(fd, data, n, offset);
}

// Opened at once: later the program may not write elsewhere than into its destination.
static FILE *log_file;

__attribute__((constructor)) static void open_log(void) {
  const char *name = getenv("LYING_DISK_LOG");
  log_file = name ? fopen(name, "w") : NULL;
}

__attribute__((destructor)) static void report(void) {
  if (!log_file) return;
  fprintf(log_file, "%lu\n", (unsigned long)reads);
  fclose(log_file);
}
