// SPDX-License-Identifier: MIT
#include "common/base/wake_fd.h"

#include <sys/eventfd.h>

#include <cerrno>

#include "common/base/error.h"

namespace zx {

WakeFd::WakeFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_.valid()) throw_errno(ExitStatus::Internal, "eventfd", errno);
}

void WakeFd::set() {
  (void)eventfd_write(fd_.get(), 1);  // fails only when it is set 2^64 times over
}

void WakeFd::clear() {
  eventfd_t count = 0;
  (void)eventfd_read(fd_.get(), &count);  // fails when it is not set
}

}  // namespace zx
