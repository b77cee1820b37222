// SPDX-License-Identifier: MIT
// Gathering: a receiver that keeps up with its sender would take what each few segments bring, and
// pay for several calls each time. So it waits, within a block, until the socket holds enough to be
// worth them. On a path that does not bring that in kTime, what is there is taken as it comes.
// One thread.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "common/base/wait.h"
#include "common/net/channel.h"

namespace zx {

class Gathering {
 public:
  /// It must outlive this. Only for plain bytes of TCP, which stay in the socket until they are
  /// taken: for others it does nothing.
  explicit Gathering(const Channel& channel)
      : fd_(channel.recv_fd_record_bytes() == 0 ? channel.recv_fd() : -1) {}

  /// While one of these is there, wait() waits, if so many bytes are to come; then the socket is as
  /// it was.
  class Block {
   public:
    Block(Gathering& gathering, size_t bytes) : gathering_(gathering) {
      gathering_.worth_it_ = gathering_.fd_ >= 0 && bytes >= kBytes;
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;
    ~Block() {
      gathering_.worth_it_ = false;
      gathering_.set_mark(1);
    }

   private:
    Gathering& gathering_;
  };

  /// `rest`: bytes that are still to come of the block. Blocking, up to kTime; looks for a
  /// stop signal. poll(2) for a socket goes by SO_RCVLOWAT, and does not wait for more than the
  /// receive window has room for (tcp_poll(), since 4.13).
  void wait(size_t rest) {
    if (!worth_it_) return;
    if (plenty_) return set_mark(1);
    set_mark(static_cast<int>(std::min(rest, kBytes)));
    if (wait_any({{fd_}}, Clock::now() + kTime)) return;
    worth_it_ = false;
    set_mark(1);
  }
  /// So much was there, where so much could have been taken at once. A socket that held about that
  /// holds more: then the next wait() does nothing.
  void took(size_t bytes, size_t room) { plenty_ = bytes >= room / 8 * 7; }

 private:
  static constexpr size_t kBytes = 1 << 20;
  static constexpr std::chrono::milliseconds kTime{10};

  // What refuses it is readable at the first byte.
  void set_mark(int bytes) {
    if (std::exchange(mark_, bytes) == bytes) return;
    (void)setsockopt(fd_, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes);
  }

  const int fd_;
  int mark_ = 1;
  bool worth_it_ = false, plenty_ = false;
};

}  // namespace zx
