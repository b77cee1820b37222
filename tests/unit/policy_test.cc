// SPDX-License-Identifier: MIT
// The policy as a table: facts and what follows from them. The same tables are in
// zsend-transfer(7), ENGINES.
#include "common/engine/policy.h"

#include <catch2/catch.hpp>
#include <cerrno>

namespace zx {
namespace {

constexpr std::nullopt_t kAuto = std::nullopt;
constexpr size_t kPipe = 1 << 20;
constexpr uint64_t kGiB = 1 << 30;

// Sources. Memory is plenty where it is not the point.
SourceFacts source(uint64_t size, std::optional<uint64_t> resident, uint64_t memory = 1000 * kGiB,
                   int direct_error = 0) {
  return {size, resident, memory, direct_error};
}
const SourceFacts kSmall = source(1000, 0);
const SourceFacts kCold = source(kGiB, 0);
const SourceFacts kHot = source(kGiB, kGiB);
const SourceFacts kColdRefused = source(kGiB, 0, 1000 * kGiB, EINVAL);

SinkFacts sink(uint64_t size, uint64_t memory, bool synced, bool in_memory = false,
               int direct_error = 0) {
  return {size, memory, direct_error, in_memory, synced};
}
const SinkFacts kSmallSink = sink(1000, 1000 * kGiB, true);
const SinkFacts kLargeSink = sink(kGiB, 2 * kGiB, false);
const SinkFacts kRefusedSink = sink(kGiB, 2 * kGiB, false, false, EINVAL);

// What the reason has to say; "" means that there is none.
void check_why(const std::string& why, const std::string& expected) {
  if (expected.empty())
    CHECK(why.empty());
  else
    CHECK_THAT(why, Catch::Contains(expected));
}

TEST_CASE("policy of the sender: what was asked for, and what is possible") {
  struct {
    bool descriptor;
    std::optional<Engine> asked;
    SourceFacts source;
    Engine engine;
    const char* why;
    bool uncached;
  } const rows[] = {
      {true, kAuto, kSmall, Engine::Sendfile, "", false},
      {true, kAuto, kHot, Engine::Sendfile, "", false},
      {true, kAuto, kCold, Engine::Direct, "not in the page cache", false},
      {true, kAuto, kColdRefused, Engine::Sendfile, "but O_DIRECT is refused here: Invalid", false},
      {true, Engine::Sendfile, kSmall, Engine::Sendfile, "", false},
      {true, Engine::Sendfile, kCold, Engine::Sendfile, "", false},
      {true, Engine::Splice, kSmall, Engine::Splice, "asked for by --engine", false},
      {true, Engine::Splice, kCold, Engine::Splice, "asked for by --engine", false},
      {true, Engine::Mmap, kSmall, Engine::Mmap, "asked for by --engine", false},
      {true, Engine::ReadWrite, kSmall, Engine::ReadWrite, "asked for by --engine", false},
      {true, Engine::ReadWrite, kHot, Engine::ReadWrite, "asked for by --engine", false},
      {true, Engine::ReadWrite, kCold, Engine::ReadWrite, "asked for by --engine", true},
      {true, Engine::Direct, kSmall, Engine::Direct, "asked for by --engine", false},
      {true, Engine::Direct, kHot, Engine::Direct, "asked for by --engine", false},
      {true, Engine::Direct, kColdRefused, Engine::ReadWrite,
       "direct was asked for, but O_DIRECT is refused here: Invalid", true},
      {false, kAuto, kSmall, Engine::ReadWrite, "user space", false},
      {false, kAuto, kHot, Engine::ReadWrite, "user space", false},
      {false, kAuto, kCold, Engine::Direct, "not in the page cache", false},
      {false, kAuto, kColdRefused, Engine::ReadWrite, "user space", true},
      {false, Engine::Sendfile, kSmall, Engine::ReadWrite,
       "sendfile was asked for, but the TLS record layer", false},
      {false, Engine::Sendfile, kCold, Engine::ReadWrite, "sendfile was asked for, but", true},
      {false, Engine::Splice, kSmall, Engine::ReadWrite,
       "splice was asked for, but the TLS record layer", false},
      {false, Engine::Mmap, kSmall, Engine::Mmap, "asked for by --engine", false},
      {false, Engine::Direct, kSmall, Engine::Direct, "asked for by --engine", false},
      {false, Engine::ReadWrite, kSmall, Engine::ReadWrite, "asked for by --engine", false},
  };
  for (const auto& row : rows) {
    const Choice choice = choose_send_engine({row.descriptor, row.asked, row.source, kPipe});
    INFO("descriptor " << row.descriptor << " asked "
                       << (row.asked ? engine_name(*row.asked) : "auto") << " size "
                       << row.source.size << " resident " << row.source.resident_bytes.value_or(0)
                       << " error " << row.source.direct_error);
    CHECK(engine_name(choice.engine) == std::string(engine_name(row.engine)));
    check_why(choice.why, row.why);
    CHECK(choice.uncached == row.uncached);
  }
  SourceFacts piped, copied;
  piped.intake = Intake::Splice;
  copied.intake = Intake::Read;
  const auto check = [](const SendFacts& facts, Engine engine, const char* why) {
    const Choice choice = choose_send_engine(facts);
    CHECK(engine_name(choice.engine) == std::string(engine_name(engine)));
    check_why(choice.why, why);
    CHECK_FALSE(choice.uncached);
  };
  check({true, kAuto, piped, kPipe}, Engine::Sendfile, "spliced into it");
  check({true, kAuto, copied, kPipe}, Engine::Sendfile, "standard input is not a pipe");
  check({false, kAuto, piped, kPipe}, Engine::ReadWrite, "user space");
  check({true, Engine::Direct, piped, kPipe}, Engine::ReadWrite,
        "direct was asked for, but the source is a pipe");
  check({true, Engine::Splice, piped, kPipe}, Engine::Splice, "asked for by --engine");
  const Choice no_pipe = choose_send_engine({true, Engine::Splice, kSmall, 0});
  CHECK((no_pipe.engine == Engine::ReadWrite));
  check_why(no_pipe.why, "splice was asked for, but a pipe");
}

TEST_CASE("policy: a buffer of a given size is the plain one, whatever the file") {
  SendFacts send{true, Engine::ReadWrite, kCold, kPipe, true};
  CHECK_FALSE(choose_send_engine(send).uncached);
  send.asked.reset();
  CHECK((choose_send_engine(send).engine == Engine::Direct));
  send.channel_has_descriptor = false;
  send.source = kColdRefused;
  CHECK((choose_send_engine(send).engine == Engine::ReadWrite));
  CHECK_FALSE(choose_send_engine(send).uncached);
  CHECK_FALSE(choose_recv_engine({true, kPipe, Engine::ReadWrite, kLargeSink, true}).uncached);
}

TEST_CASE("policy of the sender: where auto reads past the page cache") {
  const uint64_t large = kColdDirectBytes;
  struct {
    const char* what;
    SourceFacts source;
    bool direct;
  } const rows[] = {
      {"cold and just large", source(large, 0), true},
      {"cold and just not", source(large - 1, 0), false},
      {"a little of it resident", source(10 * large, 10 * large / 100 * 9), true},
      {"more of it", source(10 * large, 10 * large / 100 * 11), false},
      {"not known how much", source(10 * large, std::nullopt), false},
      {"much for the memory, not known", source(10 * large, std::nullopt, 20 * large), true},
      {"much for the memory, half resident", source(large, large / 2, 2 * large), true},
      {"much for the memory, but hot", source(large, large, 2 * large), false},
      {"a quarter of the memory", source(large / 2, 0, 2 * large), false},
      {"a byte more", source(large / 2 + 1, 0, 2 * large), true},
      {"much for very little memory, but small", source(kSmallestDirectBytes - 1, 0, 1000), false},
      {"the smallest", source(kSmallestDirectBytes, 0, 1000), true},
      {"memory not known", source(large - 1, 0, 0), false},
      {"empty", source(0, std::nullopt, 0), false},
      {"the largest there can be", source(UINT64_MAX >> 1, (UINT64_MAX >> 1) / 2), true},
  };
  for (const auto& row : rows)
    for (bool descriptor : {true, false}) {
      INFO(row.what);
      const Choice choice = choose_send_engine({descriptor, kAuto, row.source, 0});
      CHECK((choice.engine == Engine::Direct) == row.direct);
    }
}

TEST_CASE("policy of the receiver: what was asked for, and what is possible") {
  struct {
    bool descriptor;
    size_t pipe;
    std::optional<Engine> asked;
    SinkFacts sink;
    Engine engine;
    const char* why;
    bool uncached;
  } const rows[] = {
      {true, kPipe, kAuto, kSmallSink, Engine::Splice, "", false},
      {true, kPipe, kAuto, kLargeSink, Engine::Direct, "quarter of the available memory", false},
      {true, kPipe, kAuto, kRefusedSink, Engine::Splice, "but O_DIRECT is refused here: Inv",
       false},
      {true, kPipe, Engine::Splice, kSmallSink, Engine::Splice, "", false},
      {true, kPipe, Engine::Splice, kLargeSink, Engine::Splice, "", false},
      {true, kPipe, Engine::ReadWrite, kSmallSink, Engine::ReadWrite, "asked for by --engine",
       false},
      {true, kPipe, Engine::ReadWrite, kLargeSink, Engine::ReadWrite, "asked for by --engine",
       true},
      {true, kPipe, Engine::Direct, kSmallSink, Engine::Direct, "asked for by --engine", false},
      {true, kPipe, Engine::Direct, kRefusedSink, Engine::ReadWrite,
       "direct was asked for, but O_DIRECT is refused here: Invalid", true},
      {true, kMinSplicePipeBytes, kAuto, kSmallSink, Engine::Splice, "", false},
      {true, kMinSplicePipeBytes - 1, kAuto, kSmallSink, Engine::ReadWrite, "65535 bytes", false},
      {true, kMinSplicePipeBytes - 1, Engine::Splice, kSmallSink, Engine::ReadWrite,
       "splice was asked for, but a pipe here holds only 65535 bytes", false},
      {true, 0, kAuto, kSmallSink, Engine::ReadWrite, "pipe", false},
      {true, 0, Engine::Splice, kSmallSink, Engine::ReadWrite, "splice was asked for, but", false},
      {true, 0, Engine::ReadWrite, kSmallSink, Engine::ReadWrite, "asked for by --engine", false},
      {false, kPipe, kAuto, kSmallSink, Engine::ReadWrite, "user space", false},
      {false, kPipe, kAuto, kLargeSink, Engine::Direct, "quarter of the available memory", false},
      {false, kPipe, kAuto, kRefusedSink, Engine::ReadWrite, "user space", true},
      {false, kPipe, Engine::Splice, kSmallSink, Engine::ReadWrite,
       "splice was asked for, but the TLS record layer", false},
      {false, kPipe, Engine::ReadWrite, kSmallSink, Engine::ReadWrite, "asked for by --engine",
       false},
      {false, kPipe, Engine::Direct, kSmallSink, Engine::Direct, "asked for by --engine", false},
      {false, 0, kAuto, kSmallSink, Engine::ReadWrite, "user space", false},
      {false, 0, Engine::Splice, kSmallSink, Engine::ReadWrite,
       "splice was asked for, but the TLS record layer", false},
  };
  for (const auto& row : rows) {
    const Choice choice = choose_recv_engine({row.descriptor, row.pipe, row.asked, row.sink});
    INFO("descriptor " << row.descriptor << " pipe " << row.pipe << " asked "
                       << (row.asked ? engine_name(*row.asked) : "auto") << " size "
                       << row.sink.size << " error " << row.sink.direct_error);
    CHECK(engine_name(choice.engine) == std::string(engine_name(row.engine)));
    check_why(choice.why, row.why);
    CHECK(choice.uncached == row.uncached);
  }
}

TEST_CASE("policy of the receiver: a kernel TLS whose splice loses bytes") {
  struct {
    std::optional<Engine> asked;
    SinkFacts sink;
    Engine engine;
    const char* why;
  } const rows[] = {
      {kAuto, kSmallSink, Engine::ReadWrite, "the kernel's splice loses"},
      {kAuto, kLargeSink, Engine::Direct, "quarter of the available memory"},
      {kAuto, kRefusedSink, Engine::ReadWrite, "the kernel's splice loses"},
      {Engine::Splice, kSmallSink, Engine::ReadWrite,
       "splice was asked for, but the kernel's splice loses"},
      {Engine::ReadWrite, kSmallSink, Engine::ReadWrite, "asked for by --engine"},
      {Engine::Direct, kSmallSink, Engine::Direct, "asked for by --engine"},
  };
  for (const auto& row : rows) {
    const Choice choice = choose_recv_engine(
        {.pipe_bytes = kPipe, .asked = row.asked, .sink = row.sink, .splice_skips = true});
    CHECK(engine_name(choice.engine) == std::string(engine_name(row.engine)));
    check_why(choice.why, row.why);
  }
}

TEST_CASE("policy of the receiver: where auto writes past the page cache") {
  const uint64_t large = kSyncedDirectBytes, unsynced = kUnsyncedDirectBytes;
  struct {
    const char* what;
    SinkFacts sink;
    bool direct;
    bool behind = false;
  } const rows[] = {
      {"synced and just large", sink(large, 1000 * kGiB, true), true},
      {"synced and just not", sink(large - 1, 1000 * kGiB, true), false},
      {"not synced and just large", sink(unsynced, 1000 * kGiB, false), true},
      {"not synced and just not", sink(unsynced - 1, 1000 * kGiB, false), false},
      {"a slow disk and not synced", sink(kGiB, 1000 * kGiB, false), false, true},
      {"a slow disk, but synced", sink(large, 1000 * kGiB, true), true, true},
      {"a slow disk, a quarter of the memory", sink(kGiB, 4 * kGiB, false), false, true},
      {"a byte more", sink(kGiB + 1, 4 * kGiB, false), true, true},
      {"much for very little memory, but small", sink(kSmallestDirectBytes - 1, 1000, true), false},
      {"memory not known", sink(unsynced - 1, 0, false), false},
      {"in memory", sink(kGiB, 2 * kGiB, true, true), false},
      {"in memory, not synced", sink(kGiB, 1000 * kGiB, false, true), false},
  };
  for (const auto& row : rows)
    for (bool descriptor : {true, false}) {
      INFO(row.what);
      const Choice choice =
          choose_recv_engine({descriptor, kPipe, kAuto, row.sink, false, row.behind});
      CHECK((choice.engine == Engine::Direct) == row.direct);
    }
}

TEST_CASE("policy: whatever is not the best path has a reason") {
  for (bool descriptor : {false, true})
    for (std::optional<Engine> asked :
         {std::optional<Engine>(), std::optional(Engine::Sendfile), std::optional(Engine::Splice),
          std::optional(Engine::Mmap), std::optional(Engine::ReadWrite),
          std::optional(Engine::Direct)}) {
      for (const SourceFacts& facts : {kSmall, kCold, kHot}) {
        const Choice send = choose_send_engine({descriptor, asked, facts, kPipe});
        CHECK(send.why.empty() == (send.engine == Engine::Sendfile));
      }
      for (size_t pipe : {size_t{0}, kMinSplicePipeBytes - 1, kMinSplicePipeBytes, kPipe})
        for (const SinkFacts& facts : {kSmallSink, kLargeSink}) {
          const Choice receive = choose_recv_engine({descriptor, pipe, asked, facts});
          CHECK(receive.why.empty() == (receive.engine == Engine::Splice));
        }
    }
}

TEST_CASE("policy: names of engines are the words of --engine") {
  CHECK(engine_name(Engine::Sendfile) == std::string("sendfile"));
  CHECK(engine_name(Engine::Splice) == std::string("splice"));
  CHECK(engine_name(Engine::Mmap) == std::string("mmap"));
  CHECK(engine_name(Engine::ReadWrite) == std::string("readwrite"));
  CHECK(engine_name(Engine::Direct) == std::string("direct"));
}

}  // namespace
}  // namespace zx
