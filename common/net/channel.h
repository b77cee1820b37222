// SPDX-License-Identifier: MIT
// Channel: one authenticated, ordered byte stream to the peer. Three forms: plain socket, kernel
// TLS, TLS in user space. The first two expose a descriptor that carries the plain bytes, so
// sendfile(2) and splice(2) may use it; the third does not. One thread uses a channel at a time.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "common/net/tcp.h"

namespace zx {

class Channel {
 public:
  explicit Channel(Socket socket) : socket_(std::move(socket)) {}
  virtual ~Channel() = default;

  /// All of it. Blocking. With More::Yes some may wait for the next send. Throws Error.
  virtual void send(std::span<const std::byte> bytes, More more) = 0;
  /// At least one byte, or 0 at the end the peer declared (FIN; with TLS close_notify). Blocking.
  /// Throws Error{Network|Timeout|Auth}; an end that TLS did not announce is Network.
  size_t recv_some(std::span<std::byte> buffer);
  /// True when recv_some() would not wait for the peer.
  bool readable_now() { return !held().empty() || stream_readable(); }
  /// When nothing is held: takes what is there, at least one byte but at the end, for the next
  /// calls. Several short messages come by one system call so. Blocking. Throws as recv_some().
  void read_ahead();
  /// What was read ahead, and not taken: it comes before what the socket holds.
  std::span<const std::byte> held() const { return {ahead_.get() + begin_, end_ - begin_}; }
  /// The same, up to so many bytes, taken without a copy: valid until the next read_ahead().
  std::span<const std::byte> take_held(size_t most);
  /// Declares the end of what this side sends. Errors are ignored: everything that counts was
  /// acknowledged by then, or an error is already on its way.
  virtual void finish_sending() = 0;

  /// The descriptor into which (from which) plain bytes may be moved, or -1. Not while a send() or
  /// recv_some() is under way, nor while anything is held().
  virtual int send_fd() const { return -1; }
  virtual int recv_fd() const { return -1; }
  /// Kernel TLS of a kernel whose splice(2) loses bytes: why there is no recv_fd().
  virtual bool splice_skips() const { return false; }
  /// A splice(2) from recv_fd() failed with this errno: under kernel TLS a record that is not data
  /// may be in the way. Throws what it means.
  [[noreturn]] virtual void recv_fd_failed(int error) { socket_.fail("receive", error); }
  /// Kernel TLS: one splice(2) from recv_fd() moves at most one record of this size. 0: no such
  /// limit.
  virtual size_t recv_fd_record_bytes() const { return 0; }

  /// "none", "user" or "ktls".
  virtual const char* tls_form() const { return "none"; }
  /// Why the TLS record layer is not in the kernel; "" where it is, and without TLS.
  virtual std::string tls_why() const { return ""; }
  /// The TLS suite, "" without TLS.
  virtual std::string cipher() const { return ""; }

  /// Exactly buffer.size() bytes. Throws Error{Network} when the stream ends before.
  void recv_exact(std::span<std::byte> buffer);

  /// Throws the Error{Network} for a stream that ended too early.
  [[noreturn]] void ended_early() const;
  /// The same in the middle of a frame, where TLS says that the peer meant it: then it is the
  /// peer's last word, which it had no other way to say.
  [[noreturn]] void broken_off() const;

  /// Throws the Error{Protocol} for a TLS message that no peer of this protocol sends once the
  /// handshake is over.
  [[noreturn]] void unexpected(const char* message) const;
  static constexpr const char *kKeyUpdateName = "KeyUpdate", *kTicketName = "NewSessionTicket";

  /// The socket, out of a channel that ends here. Nothing is sent.
  static Socket take_socket(std::unique_ptr<Channel> channel) {
    return std::move(channel->socket_);
  }

  Socket& socket() { return socket_; }
  const Socket& socket() const { return socket_; }

 private:
  // What is behind recv_some() and readable_now().
  virtual size_t read_stream(std::span<std::byte> buffer) = 0;
  virtual bool stream_readable() = 0;

  Socket socket_;
  std::unique_ptr<std::byte[]> ahead_;
  size_t begin_ = 0, end_ = 0;
};

/// The plain form.
std::unique_ptr<Channel> make_plain_channel(Socket socket);

}  // namespace zx
