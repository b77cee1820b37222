// As a file system whose nanoseconds are out of range: for preloading into zsend.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/stat.h>

int fstat64(int fd, struct stat64* st) {
  const int result = ((int (*)(int, struct stat64*))dlsym(RTLD_NEXT, "fstat64"))(fd, st);
  st->st_mtim.tv_nsec = -854775900;
  return result;
}
int fstat(int fd, struct stat* st) { return fstat64(fd, (struct stat64*)st); }
