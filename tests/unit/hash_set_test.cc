// SPDX-License-Identifier: MIT
#include "zrecv/hash_set.h"

#include <catch2/catch.hpp>
#include <random>
#include <unordered_set>

using namespace zx;

TEST_CASE("HashSet: as a std::unordered_set") {
  std::mt19937_64 random(3);
  // Few that come often; inodes in a row; and what is spread.
  for (const uint64_t most : {uint64_t{50}, uint64_t{20000}, UINT64_MAX}) {
    HashSet set;
    std::unordered_set<uint64_t> model;
    CHECK_FALSE(set.contains(0));
    CHECK_FALSE(set.contains(1));
    for (int i = 0; i < 20000; ++i) {
      const uint64_t number = random() % most;
      REQUIRE(set.contains(number) == model.contains(number));
      REQUIRE(set.insert(number) == model.insert(number).second);
      REQUIRE(set.contains(number));
      REQUIRE(set.size() == model.size());
    }
  }
}
