// SPDX-License-Identifier: MIT
#include "common/net/openssl_memory.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace zx {
namespace {

void* allocate(size_t size, const char*, int) {
  return std::malloc(size);
}

void release(void* memory, const char*, int) {
  if (memory == nullptr) return;
  explicit_bzero(memory, malloc_usable_size(memory));
  std::free(memory);
}

void* resize(void* memory, size_t size, const char* file, int line) {
  if (memory == nullptr) return std::malloc(size);
  if (size == 0) {
    release(memory, file, line);
    return nullptr;
  }
  // realloc(3) would leave a copy behind where it moves.
  void* larger = std::malloc(size);
  if (larger == nullptr) return nullptr;
  std::memcpy(larger, memory, std::min(size, malloc_usable_size(memory)));
  release(memory, file, line);
  return larger;
}

}  // namespace

void wipe_what_openssl_frees() {
  // Fails when OpenSSL has allocated already; wiping is then what OpenSSL does by itself.
  (void)CRYPTO_set_mem_functions(allocate, resize, release);
}

}  // namespace zx
