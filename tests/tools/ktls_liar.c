// SPDX-License-Identifier: MIT
// LD_PRELOAD library: a kernel whose TLS options succeed and do nothing. LIAR=set: setsockopt lies, what is
// read back is empty. LIAR=get: getsockopt lies too and gives back what was set. The number of lies about
// TLS_RX and TLS_TX is appended to the file LIAR_LOG at exit. LIAR=leave and LIAR=late are as get, but at the second
// TCP_ULP, the one after the trial, the process is gone, or it is refused once the peer has gone, as the kernel does.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TCP_ULP
#define TCP_ULP 31
#endif
enum { kSolTls = 282, kTx = 1, kRx = 2, kMaxFd = 256, kMaxInfo = 128 };

static atomic_ulong lies, layers;
static unsigned char kept[kMaxFd][2][kMaxInfo];
static socklen_t kept_bytes[kMaxFd][2];

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int setsockopt(int fd, int level, int option, const void *value, socklen_t size) {
  REAL(setsockopt);
  if (level == IPPROTO_TCP && option == TCP_ULP) {
    const char *how = getenv("LIAR");
    const int first = atomic_fetch_add(&layers, 1) == 0;
    if (!first && how && strcmp(how, "leave") == 0) _exit(9);
    struct pollfd peer = {fd, POLLRDHUP, 0};
    if (first || !how || strcmp(how, "late") != 0 || poll(&peer, 1, 5000) != 1) return 0;
    errno = ENOTCONN;
    return -1;
  }
  if (level != kSolTls || (option != kTx && option != kRx)) return real(fd, level, option, value, size);
  if (fd < 0 || fd >= kMaxFd || size > kMaxInfo) abort();
  memcpy(kept[fd][option - 1], value, size);
  kept_bytes[fd][option - 1] = size;
  atomic_fetch_add(&lies, 1);
  return 0;
}

int getsockopt(int fd, int level, int option, void *restrict value, socklen_t *restrict size) {
  REAL(getsockopt);
  if (level != kSolTls || (option != kTx && option != kRx)) return real(fd, level, option, value, size);
  const char *how = getenv("LIAR");
  if (!how || strcmp(how, "set") == 0) {
    errno = EBUSY;  // as the kernel says of a direction that was never set
    return -1;
  }
  if (fd < 0 || fd >= kMaxFd || *size < kept_bytes[fd][option - 1]) abort();
  *size = kept_bytes[fd][option - 1];
  memcpy(value, kept[fd][option - 1], *size);
  return 0;
}

// Opened at once: later zrecv may write below its destination only.
static FILE *f;
__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("LIAR_LOG");
  f = path ? fopen(path, "ae") : NULL;
}
__attribute__((destructor)) static void report(void) {
  if (!f) return;
  fprintf(f, "%lu\n", atomic_load(&lies));
  fclose(f);
}
