// SPDX-License-Identifier: MIT
// WakeFd: a level that one thread sets and another polls for together with sockets (eventfd(2)).
#pragma once

#include <sys/eventfd.h>

#include <cerrno>
#include <mutex>
#include <utility>

#include "common/base/error.h"
#include "common/base/unique_fd.h"

namespace zx {

class WakeFd {
 public:
  /// Throws Error{Internal}.
  WakeFd() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_.valid()) throw_errno(ExitStatus::Internal, "eventfd", errno);
  }
  /// Readable from set() to clear(). Any thread. What changes nothing makes no system call: it is
  /// set for each of many small files.
  int fd() const { return fd_.get(); }
  void set() {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(set_, true)) (void)eventfd_write(fd_.get(), 1);
  }
  void clear() {
    const std::lock_guard lock(mutex_);
    eventfd_t count = 0;
    if (std::exchange(set_, false)) (void)eventfd_read(fd_.get(), &count);
  }

 private:
  const UniqueFd fd_;
  std::mutex mutex_;
  bool set_ = false;
};

}  // namespace zx
