// SPDX-License-Identifier: MIT
#include "common/base/defer.h"

#include <catch2/catch.hpp>
#include <stdexcept>
#include <string>

namespace zx {
namespace {

TEST_CASE("Defer: acts at the end of its scope, the last one first") {
  std::string log;
  {
    const Defer first([&] { log += "c"; });
    const Defer second([&] { log += "b"; });
    log += "a";
  }
  CHECK(log == "abc");
}

TEST_CASE("Defer: acts when an exception leaves its scope") {
  bool done = false;
  try {
    const Defer at_end([&] { done = true; });
    throw std::runtime_error("");
  } catch (const std::runtime_error&) {
    CHECK(done);
  }
  CHECK(done);
}

}  // namespace
}  // namespace zx
