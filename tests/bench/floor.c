// SPDX-License-Identifier: MIT
// Bare loops over loopback, as baselines: no protocol, no verification, no final name.
//   floor listen discard            counts what arrives; the bytes are never copied to user space
//   (MSG_TRUNC) floor listen FILE BUFFER        recv and write with a buffer of so many bytes floor
//   send PORT FILE sendfile   one sendfile after the other floor send PORT FILE BUFFER     read and
//   send with a buffer of so many bytes
// The listener prints its port, takes one connection, and prints the number of bytes at the end.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

static void die(const char* what) {
  perror(what);
  exit(1);
}

static struct sockaddr_in loopback(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

static void* buffer_of(const char* size, size_t* bytes) {
  void* buffer = NULL;
  *bytes = strtoul(size, NULL, 10);
  if (*bytes == 0 || posix_memalign(&buffer, 4096, *bytes) != 0) die("buffer");
  return buffer;
}

static void put_all(int fd, const char* data, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, data, length);
    if (n < 0) {
      if (errno == EINTR) continue;
      die("write");
    }
    data += n;
    length -= n;
  }
}

static int receive(const char* target, const char* size) {
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (listener < 0 || bind(listener, (void*)&address, length) || listen(listener, 1) ||
      getsockname(listener, (void*)&address, &length))
    die("listen");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int connection = accept(listener, NULL, NULL);
  if (connection < 0) die("accept");
  size_t bytes = 1 << 20;
  void* buffer = NULL;
  int file = -1;
  if (size != NULL) {
    buffer = buffer_of(size, &bytes);
    file = open(target, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (file < 0) die(target);
  }
  unsigned long long total = 0;
  for (;;) {
    ssize_t n = recv(connection, buffer, bytes, buffer == NULL ? MSG_TRUNC : 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die("recv");
    if (n == 0) break;
    if (file >= 0) put_all(file, buffer, n);
    total += n;
  }
  if (file >= 0 && close(file)) die("close");
  printf("%llu\n", total);
  return 0;
}

static int transmit(int port, const char* source, const char* way) {
  int file = open(source, O_RDONLY);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = loopback(port);
  if (file < 0 || connection < 0 || connect(connection, (void*)&address, sizeof address))
    die("connect");
  size_t bytes = 1 << 30;
  void* buffer = strcmp(way, "sendfile") == 0 ? NULL : buffer_of(way, &bytes);
  for (;;) {
    ssize_t n =
        buffer == NULL ? sendfile(connection, file, NULL, bytes) : read(file, buffer, bytes);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die("send");
    if (n == 0) break;
    if (buffer != NULL) put_all(connection, buffer, n);
  }
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "listen") == 0) return receive(argv[2], NULL);
  if (argc == 4 && strcmp(argv[1], "listen") == 0) return receive(argv[2], argv[3]);
  if (argc == 5 && strcmp(argv[1], "send") == 0) return transmit(atoi(argv[2]), argv[3], argv[4]);
  fprintf(stderr,
          "usage: floor listen discard | listen FILE BUFFER | send PORT FILE sendfile|BUFFER\n");
  return 2;
}
