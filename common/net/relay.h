// SPDX-License-Identifier: MIT
// Relay: makes one socket of two descriptors, as a program that ssh has started has them for its
// standard input and output when they are two pipes. Two threads copy; this is not a fast path.
#pragma once

#include <thread>

#include "common/base/unique_fd.h"
#include "common/base/wake_fd.h"

namespace zx {

class Relay {
 public:
  /// Takes both descriptors over: nobody else uses them from here on. Throws Error{Internal}.
  Relay(UniqueFd in, UniqueFd out);
  /// After the other end of the socket was closed: what was sent into it by then is written out,
  /// for up to 2 s.
  ~Relay();

  /// The other end. Once.
  UniqueFd take_socket() { return std::move(sockets_.theirs); }

 private:
  UniqueFd in_, out_;
  SocketPair sockets_;
  WakeFd stop_in_, stop_out_, done_out_;
  std::thread reader_, writer_;
};

}  // namespace zx
