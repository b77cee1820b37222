// SPDX-License-Identifier: MIT
#include "common/base/random.h"

#include <sys/random.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"

namespace zx {

void fill_random(std::span<std::byte> out) {
  while (!out.empty()) {
    const ssize_t n = retry_eintr([&] { return getrandom(out.data(), out.size(), 0); });
    if (n < 0) throw_errno(ExitStatus::Internal, "getrandom", errno);
    out = out.subspan(static_cast<size_t>(n));
  }
}

}  // namespace zx
