// SPDX-License-Identifier: MIT
// What holds for every message is in one table; what a single one has to say follows below, or is
// in terms_message_test.cc and entry_message_test.cc.
#include "common/wire/message.h"

#include <catch2/catch.hpp>
#include <functional>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "tests/unit/message_fixture.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

EntryEnd some_end() {
  return {true, ExitStatus::FileIo, counting<16>(1), true, counting<16>(50), "read: bad sector",
          true};
}

PathReport some_path() {
  return {"sendfile", "user", "because", "no module"};
}

Fin some_fin() {
  return {0x1234567890, some_path(), {1, 2, 3, 4, 5, 6, 7}};
}

Verdict some_verdict() {
  return {ExitStatus::Partial, true, 2,           0x9876543210,
          counting<16>(9),     5,    some_path(), {8, 7, 6, 5, 4, 3, 2},
          {9, true, "left"}};
}

std::vector<Result> some_results() {
  return {{1, 7, ExitStatus::Ok, false, "", {true, true, true, true, true}},
          {8, 1, ExitStatus::Ok, true, "exists"},
          {uint64_t{1} << 40, UINT32_MAX, ExitStatus::Integrity, false, "why"}};
}

std::vector<WantedRun> some_wanted() {
  return {{1, 7, false}, {8, 1, true}};
}

struct Case {
  const char* name;
  Bytes bytes;
  std::function<void(ByteView)> decode;
};

std::vector<Case> all_messages() {
  return {
      {"HELLO", encode(some_terms()), [](ByteView b) { decode<Terms>(b); }},
      {"JOIN", encode(some_join()), [](ByteView b) { decode<Join>(b); }},
      {"ENTRY", encode(some_entry()), [](ByteView b) { decode<EntryInfo>(b); }},
      {"DIGEST", encode(BlockDigest{77, counting<16>(3)}),
       [](ByteView b) { decode<BlockDigest>(b); }},
      {"END", encode(some_end()), [](ByteView b) { decode<EntryEnd>(b); }},
      {"FIN", encode(some_fin()), [](ByteView b) { decode<Fin>(b); }},
      {"VERDICT", encode(some_verdict()), [](ByteView b) { decode<Verdict>(b); }},
      {"DELETED", encode(Deleted{{{"a/b"}, {"c"}}}), [](ByteView b) { decode<Deleted>(b); }},
      {"RESULTS", encode(Results{some_results()}), [](ByteView b) { decode<Results>(b); }},
      {"WANTED", encode(Wanted{some_wanted()}), [](ByteView b) { decode<Wanted>(b); }},
      {"HEARTBEAT", encode(Heartbeat{77}), [](ByteView b) { decode<Heartbeat>(b); }},
      {"ERROR", encode(ErrorMessage{ExitStatus::NoSpace, "disk full"}),
       [](ByteView b) { decode<ErrorMessage>(b); }},
      {"HOLE", encode(Hole{kMaxFileBytes}), [](ByteView b) { decode<Hole>(b); }},
      {"RETRY", encode(Retry{kMaxBlockBytes}), [](ByteView b) { decode<Retry>(b); }},
      {"BYE", encode(Bye{ExitStatus::SourceChanged}), [](ByteView b) { decode<Bye>(b); }},
      {"STREAMS", encode(Streams{5}), [](ByteView b) { decode<Streams>(b); }},
  };
}

TEST_CASE("messages: each is decoded when it is whole") {
  for (const Case& c : all_messages()) {
    INFO(c.name);
    CHECK(outcome([&] { c.decode(c.bytes); }) == "no error");
  }
}

TEST_CASE("messages: each is a protocol error when it is cut at any length") {
  for (const Case& c : all_messages())
    for (size_t n = 0; n < c.bytes.size(); ++n) {
      INFO(c.name << " cut to " << n);
      // A copy of exactly that size, so that a sanitizer sees a read past it.
      const Bytes cut(c.bytes.begin(), c.bytes.begin() + static_cast<std::ptrdiff_t>(n));
      CHECK(outcome([&] { c.decode(cut); }) == "protocol");
    }
}

TEST_CASE("messages: each is a protocol error with one byte too many") {
  for (const Case& c : all_messages())
    for (int extra : {0, 1, 255}) {
      INFO(c.name);
      Bytes longer = c.bytes;
      longer.push_back(static_cast<std::byte>(extra));
      CHECK(outcome([&] { c.decode(longer); }) == "protocol");
    }
}

TEST_CASE(
    "messages: no change of one byte is anything but a message , a protocol error or a refused "
    "name") {
  for (const Case& c : all_messages())
    for (size_t at = 0; at < c.bytes.size(); ++at)
      for (int value : {0x00, 0x01, 0x7f, 0x80, 0xff}) {
        Bytes changed = c.bytes;
        changed[at] = static_cast<std::byte>(value);
        INFO(c.name << " byte " << at << " = " << value);
        const std::string got = outcome([&] { c.decode(changed); });
        CHECK((got == "no error" || got == "protocol" || got == "refused"));
      }
}

// --- every field comes back

TEST_CASE("DIGEST: every field survives a round trip") {
  const BlockDigest n = decode<BlockDigest>(encode(BlockDigest{0x01020304, counting<16>(3)}));
  CHECK(n.length == 0x01020304);
  CHECK(to_hex(n.digest) == to_hex(counting<16>(3)));
}

TEST_CASE("END: every field survives a round trip") {
  for (bool changed : {false, true})
    for (bool digest : {false, true}) {
      EntryEnd m = some_end();
      m.changed = changed;
      m.has_file_digest = digest;
      const EntryEnd n = decode<EntryEnd>(encode(m));
      CHECK(n.changed == changed);
      CHECK(n.has_file_digest == digest);
      CHECK(n.failure == m.failure);
      CHECK(to_hex(n.block_sum) == to_hex(m.block_sum));
      CHECK(to_hex(n.file_digest) == to_hex(m.file_digest));
      CHECK(n.reason == m.reason);
    }
}

TEST_CASE("FIN: every field survives a round trip") {
  const Fin m = some_fin();
  const Fin n = decode<Fin>(encode(m));
  CHECK(n.entries == m.entries);
  CHECK(n.path.engine == m.path.engine);
  CHECK(n.path.tls == m.path.tls);
  CHECK(n.path.why == m.path.why);
  CHECK(n.path.tls_why == m.path.tls_why);
}

TEST_CASE("VERDICT: every field survives a round trip") {
  for (bool durable : {false, true}) {
    Verdict m = some_verdict();
    m.durable = durable;
    const Verdict n = decode<Verdict>(encode(m));
    CHECK(n.status == m.status);
    CHECK(n.durable == durable);
    CHECK(n.entries == m.entries);
    CHECK(n.bytes == m.bytes);
    CHECK(to_hex(n.root) == to_hex(m.root));
    CHECK(n.retransmitted_blocks == m.retransmitted_blocks);
    CHECK(n.path.engine == m.path.engine);
    CHECK(n.path.tls == m.path.tls);
    CHECK(n.path.why == m.path.why);
  }
}

TEST_CASE("FIN and VERDICT: any number of entries is taken, and the path report is limited") {
  const auto fin = [](auto&& change) {
    Fin m = some_fin();
    change(m);
    return outcome([&] { decode<Fin>(encode(m)); });
  };
  CHECK(fin([](Fin& m) { m.entries = UINT64_MAX; }) == "no error");
  CHECK(fin([](Fin& m) { m.path.engine.assign(kMaxEngineBytes, 'e'); }) == "no error");
  CHECK(fin([](Fin& m) { m.path.engine.assign(kMaxEngineBytes + 1, 'e'); }) == "protocol");
  CHECK(fin([](Fin& m) { m.path.tls.assign(kMaxEngineBytes + 1, 'e'); }) == "protocol");
  const auto verdict = [](auto&& change) {
    Verdict m = some_verdict();
    change(m);
    return outcome([&] { decode<Verdict>(encode(m)); });
  };
  CHECK(verdict([](Verdict& m) { m.entries = UINT64_MAX; }) == "no error");
  CHECK(verdict([](Verdict& m) { m.path.engine.assign(kMaxEngineBytes + 1, 'e'); }) == "protocol");
}

TEST_CASE("RESULTS and ERROR: every field survives a round trip") {
  const std::vector<Result> m = some_results();
  CHECK(decode<Results>(encode(Results{m})).runs == m);
  const ErrorMessage e =
      decode<ErrorMessage>(encode(ErrorMessage{ExitStatus::NoSpace, "disk full"}));
  CHECK(e.status == ExitStatus::NoSpace);
  CHECK(e.text == "disk full");
}

TEST_CASE("RESULTS: a run has a first entry, at least one, and ends below 2^64") {
  const auto with = [](uint64_t first, uint32_t count) {
    const Result one{first, count, ExitStatus::Ok, false, ""};
    return outcome([&] { decode<Results>(encode(Results{{one}})); });
  };
  CHECK(with(1, 1) == "no error");
  CHECK(with(1, UINT32_MAX) == "no error");
  CHECK(with(UINT64_MAX - 1, 1) == "no error");
  CHECK(with(0, 1) == "protocol");
  CHECK(with(1, 0) == "protocol");
  CHECK(with(UINT64_MAX, 1) == "protocol");
  CHECK(with(UINT64_MAX - 1, 2) == "protocol");
}

TEST_CASE("WANTED: runs as those of RESULTS, from 1 to kMaxWantedRuns, and so many fit") {
  const auto with = [](uint64_t first, uint32_t count) {
    return outcome([&] { decode<Wanted>(encode(Wanted{{{first, count, false}}})); });
  };
  CHECK(with(1, UINT32_MAX) == "no error");
  CHECK(with(0, 1) == "protocol");
  CHECK(with(1, 0) == "protocol");
  CHECK(with(UINT64_MAX - 1, 2) == "protocol");
  std::vector<WantedRun> runs;
  CHECK(outcome([&] { decode<Wanted>(encode(Wanted{runs})); }) == "protocol");
  for (uint64_t id = 1; id <= kMaxWantedRuns; ++id) runs.push_back({2 * id, 1, false});
  const Bytes payload = seal(encode(Wanted{runs}));
  CHECK(payload.size() <= kMaxMessageBytes);
  CHECK(decode<Wanted>(unseal(payload)).runs == runs);
  runs.push_back({UINT32_MAX, 1, false});
  CHECK(outcome([&] { decode<Wanted>(encode(Wanted{runs})); }) == "protocol");
}

TEST_CASE("RESULTS: from 1 to kMaxResults runs, and so many fit with the longest reasons") {
  std::vector<Result> runs;
  CHECK(outcome([&] { decode<Results>(encode(Results{runs})); }) == "protocol");
  for (uint64_t id = 1; id <= kMaxResults; ++id)
    runs.push_back({id, 1, ExitStatus::FileIo, false, std::string(kMaxTextBytes, 'r')});
  const Bytes payload = seal(encode(Results{runs}));
  CHECK(payload.size() <= kMaxMessageBytes);
  CHECK(decode<Results>(unseal(payload)).runs.size() == kMaxResults);
  runs.push_back({kMaxResults + 1, 1, ExitStatus::Ok, false, ""});
  CHECK(outcome([&] { decode<Results>(encode(Results{runs})); }) == "protocol");
}

TEST_CASE("flags: an unknown bit is a protocol error in every message that has flags") {
  struct {
    const char* name;
    Bytes bytes;
    size_t at;
    int last;
    std::function<void(ByteView)> decode;
  } const cases[] = {
      {"END", encode(some_end()), 0, 7, [](ByteView b) { decode<EntryEnd>(b); }},
      {"VERDICT", encode(some_verdict()), 1, 1, [](ByteView b) { decode<Verdict>(b); }},
      {"WANTED", encode(Wanted{some_wanted()}), 14, 1, [](ByteView b) { decode<Wanted>(b); }},
  };
  for (const auto& c : cases)
    for (int value = 0; value < 256; ++value) {
      INFO(c.name << " flags " << value);
      Bytes bytes = c.bytes;
      bytes[c.at] = static_cast<std::byte>(value);
      CHECK(outcome([&] { c.decode(bytes); }) == (value <= c.last ? "no error" : "protocol"));
    }
}

TEST_CASE("status: a number that the table does not have is a protocol error in every message") {
  struct {
    const char* name;
    Bytes bytes;
    size_t at;
    std::function<void(ByteView)> decode;
  } const cases[] = {
      {"END", encode(some_end()), 1, [](ByteView b) { decode<EntryEnd>(b); }},
      {"VERDICT", encode(some_verdict()), 0, [](ByteView b) { decode<Verdict>(b); }},
      {"RESULTS", encode(Results{some_results()}), 14, [](ByteView b) { decode<Results>(b); }},
      {"ERROR", encode(ErrorMessage{ExitStatus::Network, ""}), 0,
       [](ByteView b) { decode<ErrorMessage>(b); }},
      {"BYE", encode(Bye{ExitStatus::Ok}), 0, [](ByteView b) { decode<Bye>(b); }},
  };
  for (const auto& c : cases)
    for (int value = 0; value < 256; ++value) {
      INFO(c.name << " status " << value);
      Bytes bytes = c.bytes;
      bytes[c.at] = static_cast<std::byte>(value);
      bool known = status_from_number(static_cast<uint32_t>(value)).has_value();
      if (c.name == std::string("ERROR") && value == 0) known = false;  // an error that is none
      CHECK(outcome([&] { c.decode(bytes); }) == (known ? "no error" : "protocol"));
    }
}

TEST_CASE("text: ours is cut to the limit and a longer one of the peer is a protocol error") {
  const std::string at_limit(kMaxTextBytes, 't'), too_long(kMaxTextBytes + 1, 't');
  CHECK(decode<ErrorMessage>(encode(ErrorMessage{ExitStatus::Network, too_long})).text == at_limit);
  const Result failed{1, 1, ExitStatus::FileIo, false, too_long};
  CHECK(decode<Results>(encode(Results{{failed}})).runs.front().reason == at_limit);
  EntryEnd end = some_end();
  end.reason = too_long;
  CHECK(decode<EntryEnd>(encode(end)).reason == at_limit);
  Fin fin = some_fin();
  fin.path.why = too_long;
  CHECK(decode<Fin>(encode(fin)).path.why == at_limit);

  Encoder status_and_text;
  status_and_text.status("status", ExitStatus::Network);
  status_and_text.text("text", too_long);
  CHECK(outcome([&] { decode<ErrorMessage>(status_and_text.so_far()); }) == "protocol");
  Encoder results;
  results.number("count", uint16_t{1});
  results.number("first entry", uint64_t{1});
  results.number("entries", uint32_t{1});
  results.status("status", ExitStatus::Network);
  results.number("flags", uint8_t{0});
  results.text("reason", too_long);
  CHECK(outcome([&] { decode<Results>(results.so_far()); }) == "protocol");
}

TEST_CASE("HOLE and RETRY: lengths are limited") {
  CHECK(decode<Hole>(encode(Hole{kMaxFileBytes})).length == kMaxFileBytes);
  CHECK(outcome([] { decode<Hole>(encode(Hole{kMaxFileBytes + 1})); }) == "protocol");
  CHECK(decode<Retry>(encode(Retry{1})).length == 1);
  CHECK(decode<Retry>(encode(Retry{kMaxBlockBytes})).length == kMaxBlockBytes);
  CHECK(outcome([] { decode<Retry>(encode(Retry{0})); }) == "protocol");
  CHECK(outcome([] { decode<Retry>(encode(Retry{kMaxBlockBytes + 1})); }) == "protocol");
}

TEST_CASE("BYE: the status survives a round trip") {
  CHECK(decode<Bye>(encode(Bye{ExitStatus::Ok})).status == ExitStatus::Ok);
  CHECK(decode<Bye>(encode(Bye{ExitStatus::SourceChanged})).status == ExitStatus::SourceChanged);
}

TEST_CASE("seal: the body comes back and any flipped bit is found") {
  const Bytes body = encode(some_entry());
  const Bytes payload = seal(body);
  CHECK(payload.size() == body.size() + kSealBytes);
  CHECK(to_hex(unseal(payload)) == to_hex(body));
  for (size_t at = 0; at < payload.size(); ++at)
    for (int bit = 0; bit < 8; ++bit) {
      Bytes changed = payload;
      changed[at] ^= static_cast<std::byte>(1 << bit);
      INFO("byte " << at << " bit " << bit);
      CHECK(outcome([&] { unseal(changed); }) == "protocol");
    }
}

TEST_CASE("seal: an empty body has one and a payload that is too short for one is refused") {
  const Bytes payload = seal({});
  CHECK(payload.size() == kSealBytes);
  CHECK(unseal(payload).empty());
  for (size_t n = 0; n < kSealBytes; ++n) {
    const Bytes cut(n);
    CHECK(outcome([&] { unseal(cut); }) == "protocol");
  }
}

}  // namespace
}  // namespace zx
