// As a system in which a call fails for ever: for preloading. ZX_FOREVER is CALL:ERRNO:N; after N times in the process
// poll, accept4, read, pread, recv, waitid, uring_wait or uring_submit (both of liburing) fails so.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_long calls;

static int fails(const char *name) {
  const char *what = getenv("ZX_FOREVER");
  char call[32];
  int error = 0;
  long first = 0;
  if (!what || sscanf(what, "%31[^:]:%d:%ld", call, &error, &first) != 3 || strcmp(call, name) != 0) return 0;
  if (atomic_fetch_add(&calls, 1) < first) return 0;
  errno = error;
  return 1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int poll(struct pollfd *fds, nfds_t n, int limit) { return fails("poll") ? -1 : REAL(poll)(fds, n, limit); }
int accept4(int fd, struct sockaddr *restrict from, socklen_t *restrict size, int flags) {
  return fails("accept4") ? -1 : REAL(accept4)(fd, from, size, flags);
}
ssize_t read(int fd, void *to, size_t n) { return fails("read") ? -1 : REAL(read)(fd, to, n); }
int waitid(idtype_t kind, id_t id, siginfo_t *how, int options) {
  return fails("waitid") ? -1 : REAL(waitid)(kind, id, how, options);
}
ssize_t pread(int fd, void *to, size_t n, off_t at) { return fails("pread") ? -1 : REAL(pread)(fd, to, n, at); }
ssize_t pread64(int fd, void *to, size_t n, off_t at) { return fails("pread") ? -1 : REAL(pread64)(fd, to, n, at); }
ssize_t recv(int fd, void *to, size_t n, int flags) { return fails("recv") ? -1 : REAL(recv)(fd, to, n, flags); }

int __io_uring_get_cqe(void *ring, void **done, unsigned submit, unsigned wait, void *mask) {
  return fails("uring_wait") ? -errno : REAL(__io_uring_get_cqe)(ring, done, submit, wait, mask);
}
int io_uring_submit(void *ring) { return fails("uring_submit") ? -errno : REAL(io_uring_submit)(ring); }
