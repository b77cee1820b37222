// SPDX-License-Identifier: MIT
// LD_PRELOAD library: the kernel TLS of Linux before 5.16, as far as a program can find it out: splice(2)
// that must not wait does not see the rest of a record of which recvmsg(2) has taken a part.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

enum { kSolTls = 282, kRx = 2 };

ssize_t splice(int in, off64_t *in_at, int out, off64_t *out_at, size_t size, unsigned flags) {
  static __typeof__(&splice) real;
  if (!real) real = (__typeof__(&splice))dlsym(RTLD_NEXT, "splice");
  unsigned char keys[128];
  socklen_t keys_size = 40;  // of AES-128-GCM: struct tls12_crypto_info_aes_gcm_128
  if ((flags & SPLICE_F_NONBLOCK) && getsockopt(in, kSolTls, kRx, keys, &keys_size) == 0) {
    errno = EAGAIN;
    return -1;
  }
  return real(in, in_at, out, out_at, size, flags);
}
