// SPDX-License-Identifier: MIT
// WakeFd: a level that one thread sets and another polls for together with sockets (eventfd(2)).
#pragma once

#include "common/base/unique_fd.h"

namespace zx {

class WakeFd {
 public:
  /// Throws Error{Internal}.
  WakeFd();
  /// Readable from set() to clear(). Any thread.
  int fd() const { return fd_.get(); }
  void set();
  void clear();

 private:
  UniqueFd fd_;
};

}  // namespace zx
