// SPDX-License-Identifier: MIT
// The channel over a socket whose both directions are TLS records of the kernel. Plain bytes go in
// and out by send, recvmsg, sendfile and splice; what is not data (alerts) is told by a control
// message (Documentation/networking/tls.rst).
#include <linux/tls.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/error.h"
#include "common/net/ktls.h"

namespace zx {
namespace {

// ContentType of RFC 8446, B.1, and HandshakeType of B.3.
constexpr uint8_t kAlert = 21, kHandshake = 22, kApplicationData = 23;
constexpr std::byte kNewSessionTicket{4}, kKeyUpdate{24};
constexpr std::byte kWarning{1}, kCloseNotify{0};
constexpr size_t kMaxRecordBytes = 16 << 10;

class KtlsChannel final : public Channel {
 public:
  KtlsChannel(Socket s, const Suite& suite)
      : Channel(std::move(s)), suite_(suite), splice_skips_(ktls_splice_skips(suite)) {}

  void send(std::span<const std::byte> bytes, More more) override {
    socket().send_all(bytes, more);
  }

  size_t read_stream(std::span<std::byte> buffer) override {
    while (!closed_) {
      const Piece piece = receive(buffer, 0);
      if (piece.bytes == 0 && !piece.has_type) ended_early();  // a FIN that TLS did not announce
      // The kernel tells the type of every record. Bytes without one have not come through its
      // record layer, whatever it says of itself: they may be ciphertext, or anybody's.
      if (!piece.has_type) not_in_force();
      if (piece.type == kApplicationData && piece.bytes > 0) return piece.bytes;
      if (piece.type != kApplicationData) on_control(piece.type, buffer.first(piece.bytes));
    }
    return 0;
  }

  bool stream_readable() override { return closed_ || socket().readable_now(); }

  void finish_sending() override {
    const std::array<std::byte, 2> alert{kWarning, kCloseNotify};
    iovec part{const_cast<std::byte*>(alert.data()), alert.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(1)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* type = CMSG_FIRSTHDR(&message);
    type->cmsg_level = kSolTls;
    type->cmsg_type = TLS_SET_RECORD_TYPE;
    type->cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(type) = kAlert;
    // Errors are ignored: see the declaration.
    try {
      (void)socket().send_message(&message);
    } catch (const Error&) {
    }
    socket().shutdown_send();
  }

  int send_fd() const override { return socket().fd(); }
  // What recvmsg has taken of a record is headers and messages, and content begins right behind
  // them.
  int recv_fd() const override { return splice_skips_ ? -1 : socket().fd(); }
  bool splice_skips() const override { return splice_skips_; }
  size_t recv_fd_record_bytes() const override { return kMaxRecordBytes; }
  const char* tls_form() const override { return "ktls"; }
  std::string cipher() const override { return suite_.name; }

  // EINVAL from splice(2) on the socket: the record at the head of the queue is not data. It stays
  // there until recvmsg takes it.
  [[noreturn]] void recv_fd_failed(int error) override {
    if (error != EINVAL) fail_receive(error);
    std::array<std::byte, 1> first{};
    const Piece head = receive(first, MSG_PEEK);
    if (!head.has_type || head.type == kApplicationData) fail_receive(error);
    on_control(head.type, {});
    broken_off();
  }

 private:
  struct Piece {
    size_t bytes = 0;
    uint8_t type = kApplicationData;
    bool has_type = false;  // the end of the stream has none
  };

  // One recvmsg: bytes of records of one type. False when it failed, errno says why.
  bool try_receive(std::span<std::byte> buffer, int flags, Piece* out) {
    iovec part{buffer.data(), buffer.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(1)> control{};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = socket().receive(&message, flags);
    if (n < 0) return false;
    *out = {};
    out->bytes = static_cast<size_t>(n);
    const cmsghdr* type = CMSG_FIRSTHDR(&message);
    if (type != nullptr && type->cmsg_level == kSolTls && type->cmsg_type == TLS_GET_RECORD_TYPE) {
      out->has_type = true;
      out->type = *CMSG_DATA(type);
    }
    return true;
  }

  Piece receive(std::span<std::byte> buffer, int flags) {
    Piece out;
    if (!try_receive(buffer, flags, &out)) fail_receive(errno);
    return out;
  }

  // Takes the rest of a control record, of which `begin` was read already: close_notify, or it
  // throws.
  void on_control(uint8_t type, std::span<const std::byte> begin) {
    std::array<std::byte, kMaxRecordBytes> rest{};
    std::array<std::byte, 2> head{};
    size_t have = std::min(begin.size(), head.size());
    std::ranges::copy(begin.first(have), head.begin());
    // A record is decrypted as a whole: what is left of it is there at once.
    while (next_type_now() == type) {
      const Piece piece = receive(rest, 0);
      for (size_t i = 0; i < piece.bytes && have < head.size(); ++i) head[have++] = rest[i];
      if (piece.bytes == 0) break;
    }
    const std::string peer = socket().peer() + ": ";
    if (type == kAlert && have == 2 && head[1] == kCloseNotify) {
      closed_ = true;
      return;
    }
    if (type == kAlert && have == 2)
      throw Error(ExitStatus::Auth, peer + "TLS receive: the peer's alert: " +
                                        SSL_alert_desc_string_long(std::to_integer<int>(head[1])));
    if (type == kHandshake && have > 0 && head[0] == kNewSessionTicket) unexpected(kTicketName);
    if (type == kHandshake && have > 0 && head[0] == kKeyUpdate) unexpected(kKeyUpdateName);
    throw Error(ExitStatus::Protocol,
                peer + "TLS receive: a record of type " + std::to_string(type));
  }

  // The type of what is there already: 0 when nothing is.
  uint8_t next_type_now() {
    std::array<std::byte, 1> first{};
    Piece head;
    const bool there = try_receive(first, MSG_PEEK | MSG_DONTWAIT, &head);
    return there && head.has_type ? head.type : uint8_t{0};
  }

  [[noreturn]] void not_in_force() const {
    throw Error(ExitStatus::Auth,
                socket().peer() + ": TLS receive: kernel TLS is not in force after all");
  }

  [[noreturn]] void fail_receive(int error) const {
    const std::string what = socket().peer() + ": TLS receive: ";
    // EBADMSG: the tag is wrong. EINVAL, EMSGSIZE: not a record at all (tls_sw.c).
    if (error == EBADMSG || error == EINVAL || error == EMSGSIZE)
      throw Error(ExitStatus::Auth, what + "a record is damaged or not from the peer");
    // Kernels since 6.14 tell of a KeyUpdate so.
    if (error == EKEYEXPIRED) unexpected(kKeyUpdateName);
    socket().fail("receive", error);
  }

  const Suite& suite_;
  const bool splice_skips_;
  bool closed_ = false;  // close_notify was received
};

}  // namespace

std::unique_ptr<Channel> make_ktls_channel(Socket socket, const Suite& suite) {
  return std::make_unique<KtlsChannel>(std::move(socket), suite);
}

}  // namespace zx
