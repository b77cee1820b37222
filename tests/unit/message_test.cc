// SPDX-License-Identifier: MIT
// What holds for every message is in one table; what a single one has to say follows below.
#include "common/wire/message.h"

#include <catch2/catch.hpp>
#include <functional>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

template <size_t N>
std::array<std::byte, N> counting(int first) {
  std::array<std::byte, N> out{};
  for (size_t i = 0; i < N; ++i) out[i] = static_cast<std::byte>(first + static_cast<int>(i));
  return out;
}

Terms some_terms() {
  Terms m;
  m.prefaces.connector = counting<kPrefaceBytes>(1);
  m.prefaces.listener = counting<kPrefaceBytes>(101);
  m.required_features = 0x1122334455667788;
  m.optional_features = 0x99aabbccddeeff00;
  m.session = counting<16>(201);
  m.block_bytes = 0x345678;
  m.durability = Durability::File;
  m.overwrite = Overwrite::Never;
  m.file_digest = m.no_target_directory = m.preserve = m.path_is_directory = true;
  m.to_pipe = m.several = m.mkdir = true;
  m.rate_limit = 0xa1b2c3d4e5f60718;
  m.silence_ms = 0x1234;
  m.streams = 13;
  m.path = {"dir", "name with space"};
  m.filter = {{false, "*.o"}, {true, "/a/"}};
  m.build = "zsend 0.1.0";
  return m;
}

EntryInfo some_entry() {
  EntryInfo m;
  m.name = {"a", "b\n"};
  m.size = 0x0123456789abcdef;
  m.mtime_sec = -2;
  m.mtime_nsec = 999'999'999;
  m.mode = 0751;
  m.sparse = true;
  return m;
}

EntryEnd some_end() {
  return {true, ExitStatus::FileIo, counting<16>(1), true, counting<16>(50), "read: bad sector"};
}

PathReport some_path() {
  return {"sendfile", "user", "because", "no module"};
}

Fin some_fin() {
  return {0x1234567890, some_path(), {1, 2, 3, 4, 5, 6, 7}};
}

Verdict some_verdict() {
  return {ExitStatus::Partial, true, 2,           0x9876543210,
          counting<16>(9),     5,    some_path(), {8, 7, 6, 5, 4, 3, 2}};
}

Join some_join() {
  return {counting<24>(1), counting<24>(50), counting<16>(100), 0x1234, 0x89abcdef, UINT64_MAX, 77};
}

std::vector<Result> some_results() {
  return {{1, 7, ExitStatus::Ok, false, "", {true, true, true, true, true}},
          {8, 1, ExitStatus::Ok, true, "exists"},
          {uint64_t{1} << 40, UINT32_MAX, ExitStatus::Integrity, false, "why"}};
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
      {"RESULTS", encode(Results{some_results()}), [](ByteView b) { decode<Results>(b); }},
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

TEST_CASE("HELLO: every field survives a round trip") {
  const Terms m = some_terms();
  const Terms n = decode<Terms>(encode(m));
  CHECK(to_hex(n.prefaces.connector) == to_hex(m.prefaces.connector));
  CHECK(to_hex(n.prefaces.listener) == to_hex(m.prefaces.listener));
  CHECK(n.required_features == m.required_features);
  CHECK(n.optional_features == m.optional_features);
  CHECK(to_hex(n.session) == to_hex(m.session));
  CHECK(n.block_bytes == m.block_bytes);
  CHECK(n.durability == m.durability);
  CHECK(n.overwrite == m.overwrite);
  CHECK(n.rate_limit == m.rate_limit);
  CHECK(n.silence_ms == m.silence_ms);
  CHECK(n.streams == m.streams);
  CHECK(n.path == m.path);
  CHECK(n.build == m.build);
  CHECK(n.filter == m.filter);
}

TEST_CASE("HELLO: a filter has a limit to its patterns and their bytes") {
  const auto with = [](size_t count, size_t bytes) {
    Terms m;
    m.filter.assign(count, {false, std::string(bytes, 'x')});
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(kMaxFilterRules, kMaxFilterBytes / kMaxFilterRules) == "no error");
  CHECK(with(kMaxFilterRules + 1, 1) == "protocol");
  CHECK(with(kMaxFilterRules, kMaxFilterBytes / kMaxFilterRules + 1) == "protocol");
  CHECK(with(1, kMaxOperandBytes) == "no error");
  CHECK(with(1, kMaxOperandBytes + 1) == "protocol");
  // With the longest path it fits into a message.
  Terms m;
  m.filter.assign(kMaxFilterRules, {false, std::string(kMaxFilterBytes / kMaxFilterRules, 'x')});
  m.path.assign(kMaxPathComponents, std::string(kMaxPathBytes / kMaxPathComponents, 'x'));
  m.build = std::string(kMaxBuildBytes, 'x');
  CHECK(seal(encode(m)).size() <= kMaxMessageBytes);
}

TEST_CASE("HELLO: each of its flags is a bit of its own") {
  for (int i = 0; i < 64; ++i) {
    Terms m;
    m.file_digest = (i & 1) != 0;
    m.no_target_directory = (i & 2) != 0;
    m.preserve = (i & 4) != 0;
    m.path_is_directory = (i & 8) != 0;
    m.to_pipe = (i & 16) != 0;
    m.several = (i & 32) != 0;
    const Terms n = decode<Terms>(encode(m));
    INFO(i);
    CHECK(n.file_digest == m.file_digest);
    CHECK(n.no_target_directory == m.no_target_directory);
    CHECK(n.preserve == m.preserve);
    CHECK(n.path_is_directory == m.path_is_directory);
    CHECK(n.to_pipe == m.to_pipe);
    CHECK(n.several == m.several);
  }
}

TEST_CASE("HELLO: a rate limit is none or from 1 KiB/s") {
  for (const uint64_t rate : {uint64_t{0}, kMinRateLimit, UINT64_MAX}) {
    Terms m;
    m.rate_limit = rate;
    CHECK(decode<Terms>(encode(m)).rate_limit == rate);
  }
  for (const uint64_t rate : {uint64_t{1}, kMinRateLimit - 1}) {
    Terms m;
    m.rate_limit = rate;
    CHECK(outcome([&] { decode<Terms>(encode(m)); }) == "protocol");
  }
}

TEST_CASE("HELLO: every durability and overwrite rule survives and no other number does") {
  constexpr size_t kDurabilityAt = 2 * kPrefaceBytes + 8 + 8 + 16 + 4;
  Bytes bytes = encode(Terms{});
  for (int value = 0; value < 256; ++value) {
    INFO(value);
    Bytes changed = bytes;
    changed[kDurabilityAt] = static_cast<std::byte>(value);
    if (value <= 3)
      CHECK(static_cast<int>(decode<Terms>(changed).durability) == value);
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
    changed = bytes;
    changed[kDurabilityAt + 1] = static_cast<std::byte>(value);
    if (value <= 5)
      CHECK(static_cast<int>(decode<Terms>(changed).overwrite) == value);
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
    changed = bytes;
    changed[kDurabilityAt + 3] = static_cast<std::byte>(value);
    CHECK(encode(decode<Terms>(changed)) == changed);  // each bit is a flag
    changed = bytes;
    changed[kDurabilityAt + 2] = static_cast<std::byte>(value);
    if (value <= 3) CHECK(decode<Terms>(changed).several_sources == (value >= 2));
    if (value <= 3)
      CHECK(decode<Terms>(changed).archive == ((value & 1) == 1));
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
    changed = bytes;
    changed[kDurabilityAt + 4] = static_cast<std::byte>(value);
    if (value <= 3)
      CHECK(encode(decode<Terms>(changed)) == changed);
    else
      CHECK(outcome([&] { decode<Terms>(changed); }) == "protocol");
  }
}

TEST_CASE("HELLO: the block limit is from 1 to 16 MiB") {
  const auto with = [](uint32_t bytes) {
    Terms m;
    m.block_bytes = bytes;
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(0) == "protocol");
  CHECK(with(kMinBlockBytes - 1) == "protocol");
  CHECK(with(kMinBlockBytes) == "no error");
  CHECK(with(kMaxBlockBytes) == "no error");
  CHECK(with(kMaxBlockBytes + 1) == "protocol");
  CHECK(with(UINT32_MAX) == "protocol");
}

TEST_CASE("HELLO: the silence is from 250 ms to 15 s") {
  const auto with = [](uint32_t ms) {
    Terms m;
    m.silence_ms = ms;
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(0) == "protocol");
  CHECK(with(kMinSilenceMs - 1) == "protocol");
  CHECK(with(kMinSilenceMs) == "no error");
  CHECK(with(kMaxSilenceMs) == "no error");
  CHECK(with(kMaxSilenceMs + 1) == "protocol");
  CHECK(with(UINT32_MAX) == "protocol");
}

TEST_CASE("JOIN: every field survives a round trip") {
  const Join m = some_join();
  const Join n = decode<Join>(encode(m));
  CHECK(to_hex(n.prefaces.connector) == to_hex(m.prefaces.connector));
  CHECK(to_hex(n.prefaces.listener) == to_hex(m.prefaces.listener));
  CHECK(to_hex(n.session) == to_hex(m.session));
  CHECK(n.stream == m.stream);
  CHECK(n.generation == m.generation);
  CHECK(n.taken == m.taken);
  CHECK(n.acks == 77);
}

TEST_CASE("HEARTBEAT: any count survives a round trip") {
  for (const uint64_t taken : {uint64_t{0}, uint64_t{1}, UINT64_MAX})
    CHECK(decode<Heartbeat>(encode(Heartbeat{taken})).taken == taken);
}

TEST_CASE("HELLO: at most 16 streams, and 0 is no wish") {
  for (int n : {0, 1, 2, 16, 17, 256, 65535}) {
    Terms m;
    m.streams = static_cast<uint16_t>(n);
    INFO(n);
    CHECK(outcome([&] { decode<Terms>(encode(m)); }) == (n <= 16 ? "no error" : "protocol"));
  }
}

TEST_CASE("STREAMS: from 2 to 16") {
  for (int n : {0, 1, 2, 16, 17, 65535}) {
    INFO(n);
    const Bytes bytes = encode(Streams{static_cast<uint16_t>(n)});
    CHECK(outcome([&] { decode<Streams>(bytes); }) ==
          (n >= 2 && n <= 16 ? "no error" : "protocol"));
  }
}

TEST_CASE("HELLO: path and build are limited") {
  const auto with = [](std::vector<std::string> path, std::string build) {
    Terms m;
    m.path = std::move(path);
    m.build = std::move(build);
    return outcome([&] { decode<Terms>(encode(m)); });
  };
  CHECK(with(std::vector<std::string>(kMaxPathComponents, "x"), "") == "no error");
  CHECK(with(std::vector<std::string>(kMaxPathComponents + 1, "x"), "") == "refused");
  CHECK(with({std::string(kMaxNameBytes, 'x')}, "") == "no error");
  CHECK(with({std::string(kMaxNameBytes + 1, 'x')}, "") == "refused");
  std::vector<std::string> longest(kMaxPathBytes / 128, std::string(128, 'x'));
  CHECK(with(longest, "") == "no error");
  longest[0] += 'x';
  CHECK(with(longest, "") == "refused");
  CHECK(with({}, std::string(kMaxBuildBytes, 'b')) == "no error");
  CHECK(with({}, std::string(kMaxBuildBytes + 1, 'b')) == "protocol");
}

TEST_CASE("ENTRY: every field survives a round trip") {
  const EntryInfo m = some_entry();
  const EntryInfo n = decode<EntryInfo>(encode(m));
  CHECK(n.name == m.name);
  CHECK(n.size == m.size);
  CHECK(n.mtime_sec == m.mtime_sec);
  CHECK(n.mtime_nsec == m.mtime_nsec);
  CHECK(n.mode == m.mode);
  CHECK(n.sparse == m.sparse);
  EntryInfo plain = m;
  plain.sparse = false;
  CHECK_FALSE(decode<EntryInfo>(encode(plain)).sparse);
  CHECK_FALSE(decode<EntryInfo>(encode(plain)).open_ended);
  plain.open_ended = true;
  CHECK(decode<EntryInfo>(encode(plain)).open_ended);
  CHECK_FALSE(decode<EntryInfo>(encode(plain)).sparse);
}

TEST_CASE("ENTRY: kind and flags that are unknown are refused") {
  for (int value = 0; value < 256; ++value) {
    INFO(value);
    Bytes bytes = encode(some_entry());
    bytes[0] = static_cast<std::byte>(value);
    CHECK(outcome([&] { decode<EntryInfo>(bytes); }) == (value == 1 ? "no error" : "protocol"));
    bytes = encode(some_entry());
    bytes[1] = static_cast<std::byte>(value);
    CHECK(outcome([&] { decode<EntryInfo>(bytes); }) ==
          (value <= 2 || value == 16 || value == 17 ? "no error" : "protocol"));
  }
}

TEST_CASE("ENTRY: only files have hard links, and those no content") {
  EntryInfo m;
  m.name = {"x"};
  const auto result = [&] { return outcome([&] { decode<EntryInfo>(encode(m)); }); };
  m.kind = EntryKind::HardLink;
  m.linked_to = UINT64_MAX;
  CHECK(result() == "no error");
  CHECK(decode<EntryInfo>(encode(m)).linked_to == UINT64_MAX);
  m.more_links = true;
  CHECK(result() == "no error");
  CHECK(decode<EntryInfo>(encode(m)).more_links);
  m.attributes.emplace();
  CHECK(result() == "protocol");
  m.attributes.reset();
  m.failed = true;
  CHECK(result() == "protocol");
  m.failed = false;
  m.size = 1;
  CHECK(result() == "protocol");
  m.size = 0;
  m.kind = EntryKind::Directory;
  CHECK(result() == "protocol");
  m.kind = EntryKind::Symlink;
  m.target = "t";
  CHECK(result() == "protocol");
  m.kind = EntryKind::File;
  CHECK(result() == "no error");
  m.open_ended = true;
  CHECK(result() == "protocol");
}

TEST_CASE("ENTRY: what has no content has no size and no holes; a link leads somewhere") {
  EntryInfo m;
  m.name = {"x"};
  const auto result = [&] { return outcome([&] { decode<EntryInfo>(encode(m)); }); };
  m.kind = EntryKind::Directory;
  CHECK(result() == "no error");
  m.size = 1;
  CHECK(result() == "protocol");
  m.size = 0;
  m.open_ended = true;
  CHECK(result() == "protocol");
  m.open_ended = false;
  m.kind = EntryKind::Symlink;
  CHECK(result() == "protocol");
  m.target = std::string("a\0b", 3);
  CHECK(result() == "protocol");
  m.target.assign(kMaxOperandBytes, 'x');
  CHECK(result() == "no error");
  m.target += 'x';
  CHECK(result() != "no error");
}

TEST_CASE("ENTRY: limits hold at their value and not one past it") {
  const auto with = [](auto&& change) {
    EntryInfo m = some_entry();
    change(m);
    return outcome([&] { decode<EntryInfo>(encode(m)); });
  };
  CHECK(with([](EntryInfo& m) { m.size = kMaxFileBytes; }) == "no error");
  CHECK(with([](EntryInfo& m) { m.size = kMaxFileBytes + 1; }) == "protocol");
  CHECK(with([](EntryInfo& m) { m.size = UINT64_MAX; }) == "protocol");
  CHECK(with([](EntryInfo& m) { m.mtime_nsec = 1'000'000'000; }) == "protocol");
  CHECK(with([](EntryInfo& m) { m.mtime_sec = INT64_MIN; }) == "no error");
  CHECK(with([](EntryInfo& m) { m.mode = 07777; }) == "no error");
  CHECK(with([](EntryInfo& m) { m.mode = 010000; }) == "protocol");
  CHECK(with([](EntryInfo& m) { m.mode = 0100644; }) == "protocol");
  CHECK(with([](EntryInfo& m) { m.name.assign(kMaxPathComponents, "x"); }) == "no error");
  CHECK(with([](EntryInfo& m) { m.name.assign(kMaxPathComponents + 1, "x"); }) == "refused");
  CHECK(with([](EntryInfo& m) { m.name = {std::string(kMaxNameBytes, 'x')}; }) == "no error");
  CHECK(with([](EntryInfo& m) { m.name = {std::string(kMaxNameBytes + 1, 'x')}; }) == "refused");
}

TEST_CASE("ENTRY: attributes keep to their limits, and to what has such") {
  const auto with = [](auto&& change) {
    EntryInfo m;
    m.name = {"x"};
    m.attributes.emplace();
    change(m);
    return outcome([&] { decode<EntryInfo>(encode(m)); });
  };
  using E = EntryInfo&;
  const auto entries = [](size_t count) { return Acl(count, {AclEntry::Owner, 7}); };
  CHECK(with([](E) {}) == "no error");
  CHECK(with([](E m) { m.attributes->owner.name.assign(kMaxPrincipalBytes, 'n'); }) == "no error");
  CHECK(with([](E m) { m.attributes->owner.name.assign(kMaxPrincipalBytes + 1, 'n'); }) ==
        "protocol");
  CHECK(with([&](E m) { m.attributes->acl = entries(kMaxAclEntries); }) == "no error");
  CHECK(with([&](E m) { m.attributes->acl = entries(kMaxAclEntries + 1); }) == "protocol");
  CHECK(with([](E m) {
          m.attributes->acl.assign(70, {AclEntry::User, 7, {1, std::string(250, 'n')}});
        }) == "protocol");  // 18200 bytes
  CHECK(with([](E m) { m.attributes->acl = {{AclEntry::Owner, 8}}; }) == "protocol");
  for (int tag = 0; tag < 256; ++tag) {
    const bool known = tag != 0 && tag <= 32 && (tag & (tag - 1)) == 0;
    CHECK(with([&](E m) {
            m.attributes->acl = {{static_cast<AclEntry::Tag>(tag), 0}};
          }) == (known ? "no error" : "protocol"));
  }
  const auto value = [](size_t bytes) { return std::string(bytes, 'v'); };
  CHECK(with([&](E m) {
          m.attributes->xattrs = {{"user.x", value(kMaxXattrBytes - 6)}};
        }) == "no error");
  CHECK(with([&](E m) {
          m.attributes->xattrs = {{"user.x", value(kMaxXattrBytes - 5)}};
        }) == "protocol");
  CHECK(with([&](E m) { m.attributes->xattrs = {{"", "v"}}; }) == "protocol");
  CHECK(with([&](E m) { m.attributes->xattrs = {{std::string("a\0b", 3), "v"}}; }) == "protocol");
  CHECK(with([&](E m) { m.attributes->xattrs = {{std::string(256, 'n'), "v"}}; }) == "protocol");
  CHECK(with([&](E m) { m.failed = true; }) == "protocol");
  // Only directories have a default ACL, and links nothing but an owner.
  CHECK(with([&](E m) { m.attributes->default_acl = entries(1); }) == "protocol");
  const auto link = [](E m) {
    m.kind = EntryKind::Symlink;
    m.target = "t";
  };
  CHECK(with(link) == "no error");
  CHECK(with([&](E m) {
          link(m);
          m.attributes->xattrs = {{"user.x", "v"}};
        }) == "protocol");
  const auto directory = [&](E m) {
    m.kind = EntryKind::Directory;
    m.attributes->default_acl = entries(1);
  };
  CHECK(with(directory) == "no error");
}

TEST_CASE("ENTRY: the longest name list fits into a frame") {
  EntryInfo m = some_entry();
  m.name.assign(kMaxPathComponents, std::string(kMaxPathBytes / kMaxPathComponents, 'x'));
  const Bytes payload = seal(encode(m));
  CHECK(payload.size() <= kMaxMessageBytes);
  CHECK(decode<EntryInfo>(unseal(payload)).name == m.name);
}

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
      {"END", encode(some_end()), 0, 3, [](ByteView b) { decode<EntryEnd>(b); }},
      {"VERDICT", encode(some_verdict()), 1, 1, [](ByteView b) { decode<Verdict>(b); }},
      {"RESULTS", encode(Results{some_results()}), 15, 127, [](ByteView b) { decode<Results>(b); }},
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
