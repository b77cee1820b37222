// SPDX-License-Identifier: MIT
#include "zrecv/pipe_sink.h"

#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "common/base/io.h"
#include "common/base/random.h"
#include "tests/unit/outcome.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr uint64_t kMiB = 1 << 20, kWindow = 64 * kMiB;

EntryInfo entry(uint64_t size) {
  EntryInfo out;
  out.name = {"name"};
  out.size = size;
  return out;
}

Negotiated terms() {
  Negotiated out;
  out.block_bytes = kMiB;
  out.streams = 1;
  out.durability = Durability::None;
  return out;
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void open(Sink& sink) {
  REQUIRE(sink.look(terms()).empty());
  sink.open();
}

template <typename Condition>
void until(Condition&& condition) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!condition()) {
    REQUIRE(std::chrono::steady_clock::now() < end);
    std::this_thread::sleep_for(2ms);
  }
}

TEST_CASE("PipeSink: what is verified comes out, and what is given back stays as it was") {
  const TempDir t;
  std::string content(7 * kMiB + 5, '\0');
  fill_random(std::as_writable_bytes(std::span(content)));
  PipeOutput output("cat >" + t.at("out"));
  WakeFd event;
  PipeSink sink(entry(content.size()), output, /*verify_first=*/false, event);
  open(sink);
  REQUIRE(pwrite_full(sink.fd(), std::as_bytes(std::span(content)), 0) == 0);
  const auto come = [&](uint64_t bytes) {
    return [&, bytes] { return fs::exists(t.at("out")) && fs::file_size(t.at("out")) == bytes; };
  };
  sink.verified(kMiB + 3);
  until(come(kMiB + 3));
  sink.verified(5 * kMiB);
  until(come(5 * kMiB));
  sink.verified(kMiB);  // never less
  sink.verified(content.size());
  sink.finish(content.size());
  sink.publish(content.size());
  CHECK(content_of(t.at("out")) == content);
  CHECK_FALSE(sink.failure());
}

TEST_CASE("PipeSink: there is no digest of what its command has not taken") {
  PipeOutput output("exec <&-; exit 3");
  WakeFd event;
  constexpr uint64_t kMoreThanAPipeHolds = 4 * kMiB;
  PipeSink sink(entry(kMoreThanAPipeHolds), output, false, event);
  Negotiated with_digest = terms();
  with_digest.file_digest = true;
  REQUIRE(sink.look(with_digest).empty());
  sink.open();
  const std::string content(kMoreThanAPipeHolds, 'x');
  REQUIRE(pwrite_full(sink.fd(), std::as_bytes(std::span(content)), 0) == 0);
  sink.verified(kMoreThanAPipeHolds);
  CHECK(outcome([&] { (void)sink.digest(kMoreThanAPipeHolds); }) == "command-failed");
}

TEST_CASE("PipeSink: destroyed without publish, the command has seen no end") {
  const TempDir t;
  PipeOutput output("touch " + t.at("begun") + "; cat >/dev/null; touch " + t.at("end"));
  WakeFd event;
  {
    PipeSink sink(entry(10), output, false, event);
    open(sink);
    until([&] { return fs::exists(t.at("begun")); });
  }
  CHECK_FALSE(fs::exists(t.at("end")));
}

TEST_CASE("PipeSink: with verify_first nothing is begun before publish") {
  const TempDir t;
  for (const uint64_t size : {uint64_t{0}, uint64_t{5}, 17 * kMiB}) {
    PipeOutput output("cat >" + t.at("out"));
    WakeFd event;
    const std::string content(size, 'x');
    PipeSink sink(entry(size), output, true, event);
    open(sink);
    CHECK(sink.pipe() == nullptr);
    REQUIRE(pwrite_full(sink.fd(), std::as_bytes(std::span(content)), 0) == 0);
    sink.finish(size);
    CHECK_FALSE(fs::exists(t.at("out")));
    sink.publish(size);
    CHECK(content_of(t.at("out")) == content);
    fs::remove(t.at("out"));
  }
}

TEST_CASE("PipeSink: a command that fails is the failure, in publish or before") {
  PipeOutput output("exit 3");
  WakeFd event;
  PipeSink sink(entry(kMiB), output, false, event);
  open(sink);
  until([&] { return sink.failure().has_value(); });
  CHECK(sink.failure()->status() == ExitStatus::CommandFailed);
  CHECK_THAT(sink.failure()->what(), Catch::Contains("ended with status 3"));
  CHECK(sink.has_room(UINT64_MAX));  // nobody waits for it any more
  CHECK_THROWS_WITH(sink.publish(kMiB), Catch::Contains("ended with status 3"));

  PipeOutput later("cat >/dev/null; exit 4");
  PipeSink other(entry(0), later, false, event);
  open(other);
  CHECK_THROWS_WITH(other.publish(0), Catch::Contains("ended with status 4"));
}

TEST_CASE("PipeSink: room is a window, and a gap opens it up to a limit") {
  PipeOutput output("cat >/dev/null");
  WakeFd event;
  PipeSink sink(entry(kWindow * 4), output, false, event);
  open(sink);
  CHECK(sink.has_room(kWindow));
  CHECK_FALSE(sink.has_room(kWindow + 1));
  const auto owed = [] { return true; };
  const auto not_owed = [] { return false; };
  CHECK_NOTHROW(sink.await_room(kWindow, not_owed, 0s));
  CHECK_THROWS_WITH(sink.await_room(kWindow + 1, not_owed, 0s), Catch::Contains("does not come"));
  CHECK_NOTHROW(sink.await_room(kWindow + 1, owed, 0s));
  CHECK_NOTHROW(sink.await_room(kWindow + 64 * kMiB, owed, 0s));
  CHECK_FALSE(sink.failure());
  CHECK_NOTHROW(sink.await_room(kWindow + 64 * kMiB + 1, owed, 0s));
  REQUIRE(sink.failure());
  CHECK(sink.failure()->status() == ExitStatus::Refused);
}

TEST_CASE("PipeDestination: one file, without a place for it and without durability") {
  const auto outcome = [](const Negotiated& agreed, bool pull) {
    PipeDestination destination("cat", false);
    try {
      destination.aim(agreed, pull);
    } catch (const Error& e) {
      return std::string(status_name(e.status()));
    }
    return std::string("no error");
  };
  Negotiated good = terms();
  CHECK(outcome(good, false) == "no error");
  Negotiated durable = good;
  durable.durability = Durability::Batch;
  CHECK(outcome(durable, false) == "refused");
  Negotiated two = good;
  two.several = true;
  CHECK(outcome(two, false) == "refused");
  CHECK(outcome(two, true) == "refused");
  two.path = {"one of them"};
  CHECK(outcome(two, true) == "no error");
  CHECK(outcome(two, false) == "refused");

  WakeFd event;
  PipeDestination destination("cat", false);
  CHECK_NOTHROW(destination.sink_for(entry(1), event));
  CHECK_THROWS_WITH(destination.sink_for(entry(1), event), Catch::Contains("one file"));
  PipeDestination other("cat", false);
  EntryInfo bad = entry(1);
  bad.name = {".."};
  CHECK_THROWS_WITH(other.sink_for(bad, event), Catch::Contains("unsafe name"));
}

}  // namespace
}  // namespace zx
