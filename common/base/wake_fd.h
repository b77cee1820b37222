// SPDX-License-Identifier: MIT
// WakeFd: a level that one thread sets and another polls for together with sockets (eventfd(2)).
#pragma once

#include <sys/eventfd.h>

#include <cerrno>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace zx {

class WakeFd {
 public:
  /// Throws Error{Internal}.
  WakeFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_.valid()) throw_errno(ExitStatus::Internal, "eventfd", errno);
  }
  /// Readable from set() to clear(). Any thread.
  int fd() const { return fd_.get(); }
  void set() { (void)eventfd_write(fd_.get(), 1); }  // fails only when it is set 2^64 times over
  void clear() {
    eventfd_t count = 0;
    (void)eventfd_read(fd_.get(), &count);  // fails when it is not set
  }

 private:
  UniqueFd fd_;
};

}  // namespace zx
