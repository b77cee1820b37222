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
  CHECK(n.overwrite_here == Overwrite::Unset);
  CHECK(n.overwrite_peer == Overwrite::Unset);
  CHECK(n.path.empty());
}

TEST_CASE("agree: the smaller block wins") {
  Terms a, b;
  a.max_block_bytes = 2 << 20;
  b.max_block_bytes = 16 << 20;
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
  bool Terms::*const wishes[] = {&Terms::file_digest, &Terms::no_target_directory, &Terms::preserve,
                                 &Terms::path_is_directory, &Terms::to_stream};
  bool Negotiated::*const results[] = {&Negotiated::file_digest, &Negotiated::no_target_directory,
                                       &Negotiated::preserve, &Negotiated::path_is_directory,
                                       &Negotiated::to_stream};
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

TEST_CASE("agree: a stream is not durable unless a side insists on it") {
  Terms file, stream;
  stream.to_stream = true;
  CHECK(both(file, stream).first.durability == Durability::None);
  CHECK(both(file, stream).second.durability == Durability::None);
  file.durability = Durability::Batch;
  CHECK(both(file, stream).first.durability == Durability::Batch);
  CHECK(both(file, stream).second.durability == Durability::Batch);
}

TEST_CASE("agree: both overwrite rules are kept apart") {
  Terms a, b;
  a.overwrite = Overwrite::Older;
  b.overwrite = Overwrite::Never;
  const auto [x, y] = both(a, b);
  CHECK(x.overwrite_here == Overwrite::Older);
  CHECK(x.overwrite_peer == Overwrite::Never);
  CHECK(y.overwrite_here == Overwrite::Never);
  CHECK(y.overwrite_peer == Overwrite::Older);
}

TEST_CASE("agree: path and number of sources come from the side that has them") {
  Terms connector, listener;
  connector.path = {"dir", "name"};
  connector.sources = 3;
  connector.build = "zsend 1";
  listener.build = "zrecv 2";
  const auto [x, y] = both(connector, listener);
  CHECK(x.path == connector.path);
  CHECK(y.path == connector.path);
  CHECK(x.sources == 3);
  CHECK(y.sources == 3);
  CHECK(x.peer_build == "zrecv 2");
  CHECK(y.peer_build == "zsend 1");
}

}  // namespace
}  // namespace zx
