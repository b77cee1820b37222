// SPDX-License-Identifier: MIT
// agree(): what follows from the terms of both sides.
#include "common/session/session.h"

#include <catch2/catch.hpp>

namespace zx {
namespace {

// Both sides' view of one pair of terms.
std::pair<Negotiated, Negotiated> both(const Terms& a, const Terms& b) {
  return {agree(a, b), agree(b, a)};
}

TEST_CASE("agree: with no wish there are the defaults") {
  const Negotiated n = agree({}, {});
  CHECK(n.block_bytes == kDefaultBlockBytes);
  CHECK(n.durability == Durability::Batch);
  CHECK_FALSE(n.file_digest);
  CHECK_FALSE(n.preserve);
  CHECK_FALSE(n.no_target_directory);
  CHECK_FALSE(n.path_is_directory);
  CHECK(n.overwrite == Overwrite::Unset);
  CHECK(n.overwrite_peer == Overwrite::Unset);
  CHECK(n.path.empty());
}

TEST_CASE("agree: the smaller block wins") {
  Terms a, b;
  a.block_bytes = 2 << 20;
  b.block_bytes = 16 << 20;
  const auto [x, y] = both(a, b);
  CHECK(x.block_bytes == 2 << 20);
  CHECK(y.block_bytes == 2 << 20);
}

TEST_CASE("agree: the smaller rate limit wins, and none is no limit") {
  struct {
    uint64_t a, b, result;
  } const rows[] = {{0, 0, 0}, {0, 5000, 5000}, {5000, 7000, 5000}, {UINT64_MAX, 0, UINT64_MAX}};
  for (const auto& row : rows) {
    Terms a, b;
    a.rate_limit = row.a;
    b.rate_limit = row.b;
    const auto [x, y] = both(a, b);
    CHECK(x.rate_limit == row.result);
    CHECK(y.rate_limit == row.result);
  }
}

TEST_CASE("agree: who bears less silence decides") {
  Terms a, b;
  CHECK(agree(a, b).silence_ms == 15000);
  a.silence_ms = 4000;
  const auto [x, y] = both(a, b);
  CHECK(x.silence_ms == 4000);
  CHECK(y.silence_ms == 4000);
}

TEST_CASE("the silence that is allowed is a quarter of the time-out within its limits") {
  CHECK(silence_limit(std::chrono::seconds(1)) == std::chrono::milliseconds(250));
  CHECK(silence_limit(std::chrono::seconds(2)) == std::chrono::milliseconds(500));
  CHECK(silence_limit(std::chrono::seconds(60)) == std::chrono::seconds(15));
  CHECK(silence_limit(std::chrono::seconds(1'000'000)) == std::chrono::seconds(15));
}

TEST_CASE("a lost connection is what this side finds, not what the peer says") {
  for (const ExitStatus status : {ExitStatus::Network, ExitStatus::Timeout}) {
    CHECK(is_lost_connection(Error(status, "x")));
    CHECK_FALSE(is_lost_connection(Error(status, "x", Origin::Peer)));
  }
  for (const ExitStatus status : {ExitStatus::Protocol, ExitStatus::Auth, ExitStatus::Refused})
    CHECK_FALSE(is_lost_connection(Error(status, "x")));
}

TEST_CASE("agree: the smaller wish for streams wins, and no wish is none") {
  struct {
    uint16_t a, b, result;
  } const rows[] = {{0, 0, 0}, {0, 4, 4}, {4, 0, 4}, {2, 16, 2}, {16, 2, 2}, {1, 0, 1}, {1, 16, 1}};
  for (const auto& row : rows) {
    Terms a, b;
    a.streams = row.a;
    b.streams = row.b;
    INFO(row.a << " and " << row.b);
    CHECK(agree(a, b).streams == row.result);
  }
}

TEST_CASE("agree: the stronger durability wins and no wish is batch") {
  struct {
    Durability a, b, result;
  } const rows[] = {
      {Durability::Unset, Durability::Unset, Durability::Batch},
      {Durability::Unset, Durability::None, Durability::None},
      {Durability::Unset, Durability::Batch, Durability::Batch},
      {Durability::Unset, Durability::File, Durability::File},
      {Durability::None, Durability::None, Durability::None},
      {Durability::None, Durability::Batch, Durability::Batch},
      {Durability::None, Durability::File, Durability::File},
      {Durability::Batch, Durability::Batch, Durability::Batch},
      {Durability::Batch, Durability::File, Durability::File},
      {Durability::File, Durability::File, Durability::File},
  };
  for (const auto& row : rows) {
    Terms a, b;
    a.durability = row.a;
    b.durability = row.b;
    INFO(static_cast<int>(row.a) << " and " << static_cast<int>(row.b));
    const auto [x, y] = both(a, b);
    CHECK(x.durability == row.result);
    CHECK(y.durability == row.result);
  }
}

TEST_CASE("agree: what either side wishes holds for both") {
  bool Terms::*const wishes[] = {&Terms::file_digest, &Terms::no_target_directory,
                                 &Terms::preserve,    &Terms::path_is_directory,
                                 &Terms::to_pipe,     &Terms::several};
  bool Negotiated::*const results[] = {&Negotiated::file_digest, &Negotiated::no_target_directory,
                                       &Negotiated::preserve,    &Negotiated::path_is_directory,
                                       &Negotiated::to_pipe,     &Negotiated::several};
  for (size_t i = 0; i < std::size(wishes); ++i)
    for (bool here : {false, true})
      for (bool there : {false, true}) {
        Terms a, b;
        a.*wishes[i] = here;
        b.*wishes[i] = there;
        INFO(i << ": " << here << " and " << there);
        const auto [x, y] = both(a, b);
        CHECK(x.*results[i] == (here || there));
        CHECK(y.*results[i] == (here || there));
        for (size_t k = 0; k < std::size(results); ++k)
          if (k != i) CHECK_FALSE(x.*results[k]);
      }
}

TEST_CASE("agree: a pipe is not durable unless a side insists on it") {
  Terms file, pipe;
  pipe.to_pipe = true;
  CHECK(both(file, pipe).first.durability == Durability::None);
  CHECK(both(file, pipe).second.durability == Durability::None);
  file.durability = Durability::Batch;
  CHECK(both(file, pipe).first.durability == Durability::Batch);
  CHECK(both(file, pipe).second.durability == Durability::Batch);
}

TEST_CASE("agree: both overwrite rules are kept apart") {
  Terms a, b;
  a.overwrite = Overwrite::Older;
  b.overwrite = Overwrite::Never;
  const auto [x, y] = both(a, b);
  CHECK(x.overwrite == Overwrite::Older);
  CHECK(x.overwrite_peer == Overwrite::Never);
  CHECK(y.overwrite == Overwrite::Never);
  CHECK(y.overwrite_peer == Overwrite::Older);
}

TEST_CASE("agree: the path comes from the side that has it") {
  Terms connector, listener;
  connector.path = {"dir", "name"};
  connector.build = "zsend 1";
  listener.build = "zrecv 2";
  const auto [x, y] = both(connector, listener);
  CHECK(x.path == connector.path);
  CHECK(y.path == connector.path);
  CHECK(x.build == "zrecv 2");
  CHECK(y.build == "zsend 1");
}

}  // namespace
}  // namespace zx
