// SPDX-License-Identifier: MIT
#include "common/net/tcp.h"

#include <netinet/in.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "tests/unit/outcome.h"

namespace zx {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Clock::time_point in(Clock::duration time) {
  return Clock::now() + time;
}

// Accepts (into its queue), refuses, or does not answer: its queue is full.
class Place {
 public:
  enum class Kind { Accepts, Refuses, Silent };

  explicit Place(Kind kind) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in a{};
    a.sin_family = AF_INET;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof a;
    REQUIRE(bind(fd_.get(), reinterpret_cast<sockaddr*>(&a), length) == 0);
    REQUIRE(getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&a), &length) == 0);
    address_ = {"127.0.0.1", ntohs(a.sin_port)};
    if (kind != Kind::Refuses) REQUIRE(listen(fd_.get(), kind == Kind::Silent ? 0 : 16) == 0);
    for (int i = 0; kind == Kind::Silent && i < 4; ++i) {
      queued_.emplace_back(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      (void)connect(queued_.back().get(), reinterpret_cast<sockaddr*>(&a), length);
    }
  }
  const HostPort& address() const { return address_; }

 private:
  UniqueFd fd_;
  HostPort address_;
  std::vector<UniqueFd> queued_;
};

struct Result {
  int error = 0;
  size_t winner = 99;
  milliseconds time{};
};

Result race_to(const std::vector<const Place*>& places, Clock::duration limit) {
  std::vector<HostPort> addresses;
  for (const Place* place : places) addresses.push_back(place->address());
  Result out;
  UniqueFd fd;
  const auto begin = Clock::now();
  out.error = race(addresses, begin + limit, &fd, &out.winner);
  out.time = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
  CHECK(fd.valid() == (out.error == 0));
  return out;
}

TEST_CASE("race: an address that does not answer holds up the next one by a moment only") {
  const Place silent(Place::Kind::Silent), accepts(Place::Kind::Accepts);
  const Result r = race_to({&silent, &silent, &accepts}, seconds(20));
  CHECK(r.error == 0);
  CHECK(r.winner == 2);
  CHECK(r.time >= milliseconds(500));
  CHECK(r.time < seconds(5));
}

TEST_CASE("race: after a refusal the next address is tried at once, and the first has the choice") {
  const Place refuses(Place::Kind::Refuses), accepts(Place::Kind::Accepts);
  const Result r = race_to({&refuses, &refuses, &accepts, &accepts}, seconds(20));
  CHECK(r.error == 0);
  CHECK(r.winner == 2);
  CHECK(r.time < milliseconds(400));
}

TEST_CASE("race: what it says when nobody accepts") {
  const Place refuses(Place::Kind::Refuses), silent(Place::Kind::Silent);
  CHECK(race_to({&refuses, &refuses}, seconds(20)).error == ECONNREFUSED);
  const Result late = race_to({&silent}, milliseconds(50));
  CHECK(late.error == ETIMEDOUT);
  CHECK(late.time >= milliseconds(50));
  CHECK(race_to({&silent, &refuses}, milliseconds(400)).error == ECONNREFUSED);
  CHECK(race_to({}, seconds(20)).error == EHOSTUNREACH);
}

TEST_CASE("interleave_families: by turns, each in its order") {
  const auto order = [](const std::vector<std::string>& hosts) {
    std::vector<HostPort> addresses;
    for (const std::string& host : hosts) addresses.push_back({host, 1});
    std::string out;
    for (const HostPort& a : interleave_families(addresses)) out += a.host + " ";
    return out;
  };
  CHECK(order({}).empty());
  CHECK(order({"::1", "::2", "::3", "1.1.1.1", "2.2.2.2"}) == "::1 1.1.1.1 ::2 2.2.2.2 ::3 ");
  CHECK(order({"1.1.1.1", "2.2.2.2", "::1"}) == "1.1.1.1 ::1 2.2.2.2 ");
  CHECK(order({"::1", "::2"}) == "::1 ::2 ");
}

TEST_CASE("connect_to: refused, it says how long it has tried") {
  const Place refuses(Place::Kind::Refuses);
  const std::string what = to_text(refuses.address()) + ": connect: Connection refused";
  const auto connect = [&](seconds wait) {
    (void)connect_to(refuses.address(), Family::Any, wait, seconds(20));
  };
  CHECK_THROWS_WITH(connect(seconds(0)), what);
  CHECK_THROWS_WITH(connect(seconds(1)), what + " after 1 s");
}

TEST_CASE("Socket: has its peer's address, and one of IPv4 as such on a socket for both families") {
  Listener listener({"", 0}, Family::Any);
  const Socket connector =
      connect_to({"127.0.0.1", listener.port()}, Family::Any, seconds(0), seconds(20));
  const auto accepted = listener.accept(in(seconds(20)), seconds(20));
  REQUIRE(accepted);
  CHECK(connector.peer_address().host == "127.0.0.1");
  CHECK(connector.peer_address().port == listener.port());
  CHECK(connector.peer() == to_text(connector.peer_address()));
  CHECK(accepted->peer_address().host == "127.0.0.1");
  CHECK(accepted->peer() == to_text(accepted->peer_address()));
}

TEST_CASE(
    "Socket: one that is not TCP waits as long for the peer, and as long as it says something") {
  constexpr milliseconds kIdle{600};
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  Socket socket{UniqueFd{ends[0]}, "the peer", kIdle};
  const UniqueFd peer(ends[1]);
  const std::vector<std::byte> much(4 << 20);
  const auto begin = Clock::now();
  SECTION("It is silent: a part is taken, and then nothing") {
    CHECK(outcome([&] { socket.send_all(much, More::No); }) == "timeout");
    CHECK(Clock::now() - begin >= kIdle);
    CHECK(Clock::now() - begin < kIdle * 17 / 10);
  }
  SECTION("It says something, and reads late") {
    std::thread slow([&] {
      for (int i = 0; i < 12; ++i) {
        if (write(peer.get(), "x", 1) != 1) return;
        std::this_thread::sleep_for(kIdle / 4);
      }
      std::vector<std::byte> room(1 << 20);
      for (size_t got = 0; got < much.size();) {
        const ssize_t n = read(peer.get(), room.data(), room.size());
        if (n <= 0) break;
        got += static_cast<size_t>(n);
      }
    });
    CHECK(outcome([&] { socket.send_all(much, More::No); }) == "no error");
    socket.shutdown_send();
    slow.join();
  }
}

TEST_CASE("Listener: takes the first port of a range that is free") {
  const Listener first({"", 0}, Family::Any);
  const uint16_t port = first.port();
  if (port == 65535) return;
  CHECK(outcome([&] { Listener::on_port_of({port, port}, Family::Any); }) == "network");
  CHECK(Listener::on_port_of({0, 0}, Family::Any).port() != 0);
  try {
    const auto last = static_cast<uint16_t>(port + std::min(65535 - port, 50));
    CHECK(Listener::on_port_of({port, last}, Family::Any).port() > port);
  } catch (const Error& e) {  // others have all of them
    CHECK_THAT(e.what(), Catch::StartsWith("no port of " + std::to_string(port) + "-"));
  }
}

}  // namespace
}  // namespace zx
