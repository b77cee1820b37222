// SPDX-License-Identifier: MIT
// The TLS channel in both its forms, against a peer that is OpenSSL's own record layer and does
// what ours never do: tickets, KeyUpdate, an end without close_notify, damaged records. On a kernel
// without TLS only the form in user space is there; tests/uml runs this on one that has it and sets
// ZX_KTLS=required.
#include <fcntl.h>
#include <linux/sockios.h>
#include <openssl/ssl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <thread>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/engine/block_receiver.h"
#include "common/engine/block_sender.h"
#include "common/net/tls.h"
#include "common/net/tls_channel.h"
#include "common/wire/codec.h"

namespace zx {
namespace {

std::vector<Ktls> forms() {
  if (ktls_obstacle(suite_of(kSuiteAes128Gcm), Ktls::On).empty()) return {Ktls::Off, Ktls::On};
  const char* wanted = getenv("ZX_KTLS");
  REQUIRE((wanted == nullptr || std::string(wanted) != "required"));
  return {Ktls::Off};
}

bool splices(Ktls form) {
  return form == Ktls::On && !ktls_splice_skips(suite_of(kSuiteAes128Gcm));
}

struct TcpPair {
  Socket connector, listener;
};

TcpPair tcp_pair() {
  Listener listener({"127.0.0.1", 0}, Family::V4);
  Socket connector = connect_to({"127.0.0.1", listener.port()}, Family::V4, std::chrono::seconds(5),
                                std::chrono::seconds(20));
  auto accepted = listener.accept(Clock::now() + std::chrono::seconds(5), std::chrono::seconds(20));
  REQUIRE(accepted);
  return {std::move(connector), std::move(*accepted)};
}

TlsSetup setup_for(const Key& key, bool listener, Ktls ktls, uint8_t suite) {
  TlsSetup s;
  s.suite = suite;
  s.listener = listener;
  s.connector_role = Role::Sender;
  s.ktls = ktls;
  s.key = &key;
  return s;
}

// `mine` is the channel under test, `peer` always OpenSSL in user space.
struct Pair {
  std::unique_ptr<Channel> mine, peer;
  SSL* peer_ssl() { return dynamic_cast<TlsChannel&>(*peer).ssl(); }
};

Pair connect_pair(Ktls form, Socket mine, Socket peer, bool mine_listens = false,
                  uint8_t suite = kSuiteAes128Gcm) {
  const Key key = Key::generate();
  auto other = std::async(std::launch::async, [&] {
    return tls_handshake(std::move(peer), setup_for(key, !mine_listens, Ktls::Off, suite));
  });
  TlsConnection m = tls_handshake(std::move(mine), setup_for(key, mine_listens, form, suite));
  CHECK(std::string(m.channel->tls_form()) == (form == Ktls::On ? "ktls" : "user"));
  CHECK((m.channel->recv_fd() >= 0) == (form == Ktls::On && !m.channel->splice_skips()));
  CHECK((m.channel->send_fd() >= 0) == (form == Ktls::On));
  return {std::move(m.channel), other.get().channel};
}

Pair connected(Ktls form, bool mine_listens = false, uint8_t suite = kSuiteAes128Gcm) {
  TcpPair tcp = tcp_pair();
  return mine_listens
             ? connect_pair(form, std::move(tcp.listener), std::move(tcp.connector), true, suite)
             : connect_pair(form, std::move(tcp.connector), std::move(tcp.listener), false, suite);
}

Bytes pattern(size_t size) {
  Bytes out(size);
  uint32_t x = 1;
  for (auto& b : out) b = static_cast<std::byte>((x = x * 1664525 + 1013904223) >> 24);
  return out;
}

std::string error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& e) {
    return std::string(status_name(e.status())) + ": " + e.what();
  }
  return "no error";
}

bool is_error(const std::string& got, ExitStatus status, const std::string& words) {
  return got.starts_with(status_name(status)) && got.find(words) != std::string::npos;
}

// An anonymous file to receive into.
UniqueFd memory_file() {
  return UniqueFd(memfd_create("zx-test", MFD_CLOEXEC));
}

TEST_CASE("record layer: bytes both ways, each suite, each role") {
  const Bytes data = pattern(300'007);
  for (const Ktls form : forms())
    for (const uint8_t suite : {kSuiteAes128Gcm, kSuiteAes256Gcm, kSuiteChaCha20Poly1305})
      for (const bool listens : {false, true}) {
        // Linux 5.10 does not have ChaCha20-Poly1305.
        if (form == Ktls::On && !ktls_obstacle(suite_of(suite), form).empty()) continue;
        INFO("form " << static_cast<int>(form) << " suite " << int{suite} << " listens "
                     << listens);
        Pair p = connected(form, listens, suite);
        CHECK(p.mine->cipher() == suite_of(suite).name);
        auto sent = std::async(std::launch::async, [&] {
          p.mine->send(std::span(data).first(1), More::Yes);
          p.mine->send(std::span(data).subspan(1), More::No);
        });
        Bytes got(data.size());
        p.peer->recv_exact(got);
        sent.get();
        CHECK(got == data);
        auto back = std::async(std::launch::async, [&] { p.peer->send(data, More::No); });
        std::fill(got.begin(), got.end(), std::byte{});
        p.mine->recv_exact(got);
        back.get();
        CHECK(got == data);
      }
}

TEST_CASE("record layer: both sides export the same key for further connections") {
  const Key key = Key::generate();
  TcpPair tcp = tcp_pair();
  auto other = std::async(std::launch::async, [&] {
    return tls_handshake(std::move(tcp.listener), setup_for(key, true, Ktls::Off, kSuiteAes128Gcm));
  });
  const TlsConnection a =
      tls_handshake(std::move(tcp.connector), setup_for(key, false, Ktls::Off, kSuiteAes128Gcm));
  const TlsConnection b = other.get();
  CHECK(a.join_key.text() == b.join_key.text());
  CHECK(a.join_key.text() != key.text());
}

TEST_CASE("record layer: close_notify is the end, a bare FIN is not") {
  for (const Ktls form : forms()) {
    INFO(static_cast<int>(form));
    Bytes one(1);
    Pair closed = connected(form);
    closed.peer->finish_sending();
    CHECK(closed.mine->recv_some(one) == 0);
    CHECK(closed.mine->recv_some(one) == 0);
    closed.mine->send(pattern(10), More::No);  // the other direction stays open
    Bytes ten(10);
    closed.peer->recv_exact(ten);
    closed.mine->finish_sending();
    CHECK(closed.peer->recv_some(one) == 0);

    Pair cut = connected(form);
    cut.peer->socket().shutdown_send();
    CHECK(
        is_error(error_of([&] { (void)cut.mine->recv_some(one); }), ExitStatus::Network, "ended"));
  }
}

TEST_CASE("record layer: a KeyUpdate ends the connection") {
  for (const Ktls form : forms())
    for (const int request : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
      INFO(static_cast<int>(form) << " " << request);
      Pair p = connected(form);
      REQUIRE(SSL_key_update(p.peer_ssl(), request) == 1);
      p.peer->send(pattern(100), More::No);  // the KeyUpdate goes first
      Bytes got(100);
      CHECK(
          is_error(error_of([&] { p.mine->recv_exact(got); }), ExitStatus::Protocol, "KeyUpdate"));
    }
}

TEST_CASE("record layer: a session ticket ends the connection") {
  for (const Ktls form : forms())
    for (const size_t read : {size_t{1}, size_t{200}}) {
      INFO(static_cast<int>(form) << " read " << read);
      Pair p = connected(form);  // the peer is the TLS server, which alone has tickets
      p.peer->send(pattern(100), More::No);
      REQUIRE(SSL_new_session_ticket(p.peer_ssl()) == 1);
      REQUIRE(SSL_do_handshake(p.peer_ssl()) == 1);
      p.peer->send(pattern(100), More::No);
      Bytes got(200);
      size_t at = 0;
      const std::string error = error_of([&] {
        while (at < got.size())
          at += p.mine->recv_some(std::span(got).subspan(at, std::min(read, got.size() - at)));
      });
      CHECK(is_error(error, ExitStatus::Protocol, "NewSessionTicket"));
      CHECK(at == 100);
    }
}

// --- splice: kernel TLS only

SplicePipe pipe_of(int bytes) {
  SplicePipe pipe = make_splice_pipe();
  REQUIRE(fcntl(pipe.write_end.get(), F_SETPIPE_SZ, bytes) >= bytes);
  pipe.bytes = static_cast<size_t>(fcntl(pipe.write_end.get(), F_GETPIPE_SZ));
  return pipe;
}

TEST_CASE("record layer: splice loses nothing, whatever the pipe and the records") {
  const Bytes data = pattern(3'000'017);
  for (const Ktls form : forms()) {
    if (!splices(form)) continue;
    for (const int pipe_bytes : {64 << 10, 1 << 20})
      for (const size_t record : {size_t{1000}, size_t{16384}, data.size()}) {
        INFO("pipe " << pipe_bytes << " record " << record);
        Pair p = connected(form);
        auto sent = std::async(std::launch::async, [&] {
          for (size_t at = 0; at < data.size(); at += record)
            p.peer->send(std::span(data).subspan(at, std::min(record, data.size() - at)),
                         More::Yes);
          p.peer->send({}, More::No);
        });
        const UniqueFd file = memory_file();
        const auto receiver =
            make_block_receiver(*p.mine, {Engine::Splice, ""}, pipe_of(pipe_bytes));
        uint64_t fresh = 0;
        CHECK(receiver->receive(file.get(), 0, static_cast<uint32_t>(data.size()),
                                [&](uint64_t n, std::span<const std::byte>) { fresh += n; }) == 0);
        sent.get();
        CHECK(fresh == data.size());
        Bytes got(data.size());
        CHECK(pread_full(file.get(), got, 0) == static_cast<ssize_t>(got.size()));
        CHECK(got == data);
        CHECK(receiver->engine() == Engine::Splice);
      }
  }
}

TEST_CASE("record layer: control records in the way of a splice") {
  for (const Ktls form : forms()) {
    if (!splices(form)) continue;
    const auto spliced = [&](const std::function<void(Pair&)>& between, Bytes* got) {
      Pair p = connected(form);
      p.peer->send(pattern(100), More::No);
      between(p);
      const UniqueFd file = memory_file();
      const auto receiver = make_block_receiver(*p.mine, {Engine::Splice, ""}, make_splice_pipe());
      const std::string error = error_of([&] {
        (void)receiver->receive(file.get(), 0, 200, [](uint64_t, std::span<const std::byte>) {});
      });
      got->resize(200);
      got->resize(static_cast<size_t>(pread_full(file.get(), *got, 0)));
      return error;
    };
    Bytes got;

    CHECK(is_error(spliced(
                       [](Pair& p) {
                         REQUIRE(SSL_new_session_ticket(p.peer_ssl()) == 1);
                         REQUIRE(SSL_do_handshake(p.peer_ssl()) == 1);
                         p.peer->send(pattern(100), More::No);
                       },
                       &got),
                   ExitStatus::Protocol, "NewSessionTicket"));

    CHECK(is_error(spliced(
                       [](Pair& p) {
                         REQUIRE(SSL_key_update(p.peer_ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
                         p.peer->send(pattern(100), More::No);
                       },
                       &got),
                   ExitStatus::Protocol, "KeyUpdate"));
    CHECK(is_error(spliced([](Pair& p) { p.peer->finish_sending(); }, &got), ExitStatus::Network,
                   "broken the transfer off"));
    CHECK(is_error(spliced([](Pair& p) { p.peer->socket().shutdown_send(); }, &got),
                   ExitStatus::Network, "ended"));
  }
}

// --- damaged records: a relay that changes one byte of what the peer sends, well after the
// handshake

void relay(Socket from_peer, Socket to_mine, size_t damage_at) {
  Bytes buffer(64 << 10);
  size_t passed = 0;
  try {
    std::jthread back([&] {
      Bytes b(64 << 10);
      try {
        while (const size_t n = to_mine.recv_some(b))
          from_peer.send_all(std::span(b).first(n), More::No);
      } catch (const Error&) {
      }
      from_peer.shutdown_send();
    });
    while (const size_t n = from_peer.recv_some(buffer)) {
      if (damage_at >= passed && damage_at < passed + n) buffer[damage_at - passed] ^= std::byte{1};
      passed += n;
      to_mine.send_all(std::span(buffer).first(n), More::No);
    }
    to_mine.shutdown_send();
  } catch (const Error&) {
  }
}

TEST_CASE("record layer: a damaged record is status 3, by recvmsg and by splice") {
  for (const Ktls form : forms())
    for (const bool by_splice : {false, true}) {
      if (by_splice && !splices(form)) continue;
      INFO(static_cast<int>(form) << " splice " << by_splice);
      TcpPair left = tcp_pair(), right = tcp_pair();
      std::jthread middle(
          [&] { relay(std::move(left.listener), std::move(right.connector), 20'000); });
      Pair p = connect_pair(form, std::move(right.listener), std::move(left.connector));
      auto sent = std::async(std::launch::async, [&] {
        return error_of([&] { p.peer->send(pattern(100'000), More::No); });
      });
      Bytes got(100'000);
      const UniqueFd file = memory_file();
      const std::string error = error_of([&] {
        if (!by_splice) return p.mine->recv_exact(got);
        const auto receiver =
            make_block_receiver(*p.mine, {Engine::Splice, ""}, make_splice_pipe());
        (void)receiver->receive(file.get(), 0, 100'000,
                                [](uint64_t, std::span<const std::byte>) {});
      });
      CHECK(is_error(error, ExitStatus::Auth, "TLS receive"));
      sent.wait();
      p.mine->socket().shutdown_send();
      p.peer->socket().shutdown_send();
    }
}

// --- a peer that goes while sendfile(2) waits for it

TEST_CASE("record layer: a reset under a blocked sendfile is not taken for success") {
  const UniqueFd file = memory_file();
  const std::string path = "/proc/self/fd/" + std::to_string(file.get());
  REQUIRE(ftruncate(file.get(), 64 << 20) == 0);
  for (const Ktls form : forms()) {
    INFO(static_cast<int>(form));
    Pair p = connected(form);
    const SourceFile source(path);
    const Engine engine = form == Ktls::On ? Engine::Sendfile : Engine::ReadWrite;
    auto sent = std::async(std::launch::async, [&] {
      const auto sender = make_block_sender(*p.mine, {engine, ""});
      return error_of([&] {
        for (int i = 0; i < 4; ++i)
          (void)sender->send(source, 0, 16 << 20, {}, nullptr, [](uint64_t) {});
      });
    });
    // The queue of a sender that is blocked stands still.
    for (int still = 0, last = -1; still < 10;) {
      int queued = 0;
      REQUIRE(ioctl(p.mine->socket().fd(), SIOCOUTQ, &queued) == 0);
      still = queued > 0 && queued == last ? still + 1 : 0;
      last = queued;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    const linger reset{1, 0};
    REQUIRE(setsockopt(p.peer->socket().fd(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset) == 0);
    p.peer.reset();
    CHECK(is_error(sent.get(), ExitStatus::Network, "send"));
  }
}

}  // namespace
}  // namespace zx
