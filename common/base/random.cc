// SPDX-License-Identifier: MIT
#include "common/base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <vector>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {

void fill_random(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t n = retry_eintr([&] { return getrandom(out.data(), out.size(), 0); });
    if (n < 0) throw_errno(ExitStatus::Internal, "getrandom", errno);
    out = out.subspan(static_cast<size_t>(n));
  }
}

std::string random_hex(size_t bytes) {
  std::vector<std::byte> random(bytes);
  fill_random(random);
  return to_hex(random);
}

}  // namespace zx
