// SPDX-License-Identifier: MIT
// The bytes on the wire, written down once in tests/golden/*.hex from the format and not from the
// encoder: a change of encoder and decoder that only fits itself is found here.
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "common/base/quote.h"
#include "common/wire/frame.h"
#include "common/wire/message.h"
#include "common/wire/preface.h"
#include "tests/unit/message_fixture.h"

namespace zx {
namespace {

// The bytes of a golden file: hexadecimal digits, white space, and lines that begin with '#'.
Bytes golden(const std::string& name) {
  std::ifstream in(ZX_SOURCE_DIR "/tests/golden/" + name + ".hex");
  INFO(name);
  REQUIRE(in.good());
  std::string digits, line;
  while (std::getline(in, line)) {
    if (line.starts_with('#')) continue;
    for (char c : line)
      if (c != ' ') digits += c;
  }
  REQUIRE(digits.size() % 2 == 0);
  REQUIRE(digits.find_first_not_of("0123456789abcdef") == std::string::npos);
  REQUIRE_FALSE(digits.empty());
  Bytes out;
  for (size_t i = 0; i < digits.size(); i += 2)
    out.push_back(static_cast<std::byte>(std::stoi(digits.substr(i, 2), nullptr, 16)));
  return out;
}

template <size_t N>
std::array<std::byte, N> fixed(const Bytes& bytes) {
  REQUIRE(bytes.size() == N);
  std::array<std::byte, N> out{};
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

Preface request() {
  Preface p;
  p.mode = Mode::TlsPsk;
  p.role = Role::Sender;
  p.suites = kSuiteAes128Gcm | kSuiteChaCha20Poly1305;
  p.random = counting<8>(0x01);
  return p;
}

Preface answer() {
  Preface p;
  p.mode = Mode::Plain;
  p.role = Role::Receiver;
  p.no_auth = true;
  p.code = PrefaceCode::WrongAuth;
  p.random = counting<8>(0xf1);
  return p;
}

TEST_CASE("golden: preface of a request") {
  const Bytes bytes = golden("preface_request");
  CHECK(to_hex(encode_preface(request())) == to_hex(bytes));
  const Preface p = decode_preface(fixed<kPrefaceBytes>(bytes));
  CHECK(p.lowest_version == 4);
  CHECK(p.highest_version == 4);
  CHECK(p.mode == Mode::TlsPsk);
  CHECK(p.role == Role::Sender);
  CHECK_FALSE(p.no_auth);
  CHECK_FALSE(p.join);
  CHECK(p.suites == 3);
  CHECK(p.code == PrefaceCode::Accepted);
  CHECK(to_hex(p.random) == "0102030405060708");
}

TEST_CASE("golden: preface of a connector that joins") {
  const Bytes bytes = golden("preface_join");
  Preface m = request();
  m.join = true;
  CHECK(to_hex(encode_preface(m)) == to_hex(bytes));
  const Preface p = decode_preface(fixed<kPrefaceBytes>(bytes));
  CHECK(p.join);
  CHECK_FALSE(p.no_auth);
}

TEST_CASE("golden: preface of an answer") {
  const Bytes bytes = golden("preface_answer");
  CHECK(to_hex(encode_preface(answer())) == to_hex(bytes));
  const Preface p = decode_preface(fixed<kPrefaceBytes>(bytes));
  CHECK(p.mode == Mode::Plain);
  CHECK(p.role == Role::Receiver);
  CHECK(p.no_auth);
  CHECK(p.suites == 0);
  CHECK(p.code == PrefaceCode::WrongAuth);
  CHECK(to_hex(p.random) == "f1f2f3f4f5f6f7f8");
}

TEST_CASE("golden: frame header") {
  const Bytes bytes = golden("frame_header");
  const FrameHeader h{FrameType::Data, kFlagResent, 8388608, 3, 4294967296};
  CHECK(to_hex(encode_header(h)) == to_hex(bytes));
  const FrameHeader back = decode_header(fixed<kFrameHeaderBytes>(bytes));
  CHECK(back.type == h.type);
  CHECK(back.flags == h.flags);
  CHECK(back.length == h.length);
  CHECK(back.entry == h.entry);
  CHECK(back.offset == h.offset);
}

TEST_CASE("golden: HELLO") {
  const Bytes bytes = golden("hello");
  Terms m;
  m.prefaces.connector = encode_preface(request());
  m.prefaces.listener = encode_preface(answer());
  m.optional_features = uint64_t{1} << 40;
  m.session = counting<16>(0xa0);
  m.block_bytes = 4 << 20;
  m.durability = Durability::File;
  m.overwrite = Overwrite::Older;
  m.file_digest = m.preserve = m.several = m.mkdir = m.archive = true;
  m.rate_limit = 10'000'000;
  m.silence_ms = 2500;
  m.streams = 4;
  m.path = {"dir", "name"};
  m.build = "zsend 0.1.0";
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const Terms n = decode<Terms>(bytes);
  CHECK(to_hex(n.prefaces.connector) == to_hex(golden("preface_request")));
  CHECK(to_hex(n.prefaces.listener) == to_hex(golden("preface_answer")));
  CHECK(n.required_features == 0);
  CHECK(n.optional_features == m.optional_features);
  CHECK(to_hex(n.session) == "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  CHECK(n.block_bytes == 4194304);
  CHECK(n.durability == Durability::File);
  CHECK(n.overwrite == Overwrite::Older);
  CHECK(n.file_digest);
  CHECK(n.preserve);
  CHECK(n.several);
  CHECK(n.mkdir);
  CHECK(n.archive);
  CHECK_FALSE(n.to_pipe);
  CHECK_FALSE(n.no_target_directory);
  CHECK_FALSE(n.path_is_directory);
  CHECK(n.rate_limit == 10'000'000);
  CHECK(n.silence_ms == 2500);
  CHECK(n.streams == 4);
  CHECK(n.path == m.path);
  CHECK(n.build == m.build);
}

TEST_CASE("golden: WELCOME") {
  const Bytes bytes = golden("welcome");
  Terms m;
  m.session = counting<16>(0xa0);
  m.block_bytes = 8 << 20;
  m.overwrite = Overwrite::Never;
  m.no_target_directory = m.path_is_directory = m.to_pipe = true;
  m.one_file_system = m.deletes = true;
  m.most_deleted = 10;
  m.filter = {{true, "*/"}, {false, "/a"}};
  m.build = "zrecv 0.1.0";
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const Terms n = decode<Terms>(bytes);
  CHECK(n.durability == Durability::Unset);
  CHECK(n.overwrite == Overwrite::Never);
  CHECK(n.rate_limit == 0);
  CHECK(n.silence_ms == 15000);
  CHECK(n.no_target_directory);
  CHECK(n.path_is_directory);
  CHECK(n.to_pipe);
  CHECK_FALSE(n.several);
  CHECK_FALSE(n.mkdir);
  CHECK_FALSE(n.file_digest);
  CHECK_FALSE(n.preserve);
  CHECK(n.path.empty());
  CHECK(n.build == "zrecv 0.1.0");
  CHECK(n.one_file_system);
  CHECK(n.deletes);
  CHECK(n.most_deleted == 10);
  CHECK_FALSE(n.dereference);
  CHECK(n.filter == m.filter);
}

TEST_CASE("golden: ENTRY") {
  const Bytes bytes = golden("entry");
  EntryInfo m;
  m.name = {"backup.tar"};
  m.size = 5368709120;
  m.mtime_sec = -1;
  m.mtime_nsec = 500000000;
  m.mode = 0640;
  m.sparse = true;
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const EntryInfo n = decode<EntryInfo>(bytes);
  CHECK(n.name == m.name);
  CHECK(n.size == m.size);
  CHECK(n.mtime_sec == -1);
  CHECK(n.mtime_nsec == 500000000);
  CHECK(n.mode == 0640);
  CHECK(n.sparse);
}

EntryInfo entry_of(EntryKind kind, const std::string& name, uint32_t mode) {
  EntryInfo m;
  m.kind = kind;
  m.name = {name};
  m.mtime_sec = 1795271234;
  m.mode = mode;
  return m;
}

TEST_CASE("golden: ENTRY of a directory and of a symbolic link") {
  EntryInfo directory = entry_of(EntryKind::Directory, "photos", 02755);
  CHECK(to_hex(encode(directory)) == to_hex(golden("entry_directory")));
  EntryInfo link = entry_of(EntryKind::Symlink, "latest", 0777);
  link.target = "2026/11";
  const Bytes bytes = golden("entry_symlink");
  CHECK(to_hex(encode(link)) == to_hex(bytes));
  CHECK(decode<EntryInfo>(bytes).target == "2026/11");
}

TEST_CASE("golden: ENTRY with attributes") {
  EntryInfo m = entry_of(EntryKind::Directory, "d", 02750);
  m.attributes = {{1000, "alice"},
                  {4711, ""},
                  {{AclEntry::Owner, 7},
                   {AclEntry::User, 5, {1001, "bob"}},
                   {AclEntry::OwningGroup, 5},
                   {AclEntry::Mask, 7},
                   {AclEntry::Other, 0}},
                  {{AclEntry::Group, 1, {9, "www"}}},
                  {{"user.x", "v"}}};
  const Bytes bytes = golden("entry_attributes");
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const Attributes n = decode<EntryInfo>(bytes).attributes.value();
  CHECK(n.owner.name == "alice");
  CHECK(n.group.id == 4711);
  CHECK(n.acl.at(1).who.name == "bob");
  CHECK(n.acl.at(4).tag == AclEntry::Other);
  CHECK(n.default_acl.at(0).who.id == 9);
  CHECK(n.xattrs.at(0).value == "v");
}

TEST_CASE("golden: ENTRY of a hard link") {
  EntryInfo m = entry_of(EntryKind::HardLink, "again", 0644);
  m.more_links = true;
  m.linked_to = (uint64_t{1} << 32) + 2;
  const Bytes bytes = golden("entry_hard_link");
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  CHECK(decode<EntryInfo>(bytes).linked_to == m.linked_to);
}

TEST_CASE("golden: ENTRY of unknown length") {
  const Bytes bytes = golden("entry_open_ended");
  EntryInfo m;
  m.name = {"stdin"};
  m.size = 4096;
  m.mtime_sec = 1795271234;
  m.mode = 0644;
  m.open_ended = true;
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const EntryInfo n = decode<EntryInfo>(bytes);
  CHECK(n.open_ended);
  CHECK_FALSE(n.sparse);
  CHECK(n.size == 4096);
}

TEST_CASE("golden: DIGEST") {
  const Bytes bytes = golden("digest");
  CHECK(to_hex(encode(BlockDigest{8388608, counting<16>(0x10)})) == to_hex(bytes));
  const BlockDigest n = decode<BlockDigest>(bytes);
  CHECK(n.length == 8388608);
  CHECK(to_hex(n.digest) == "101112131415161718191a1b1c1d1e1f");
}

TEST_CASE("golden: END") {
  const Bytes bytes = golden("end");
  EntryEnd m{true, ExitStatus::FileIo, counting<16>(0x20), true, counting<16>(0x30), "read error"};
  m.whole = true;
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const EntryEnd n = decode<EntryEnd>(bytes);
  CHECK(n.whole);
  CHECK(n.changed);
  CHECK(n.failure == ExitStatus::FileIo);
  CHECK(to_hex(n.block_sum) == to_hex(counting<16>(0x20)));
  CHECK(n.has_file_digest);
  CHECK(to_hex(n.file_digest) == to_hex(counting<16>(0x30)));
  CHECK(n.reason == "read error");
}

TEST_CASE("golden: JOIN") {
  const Bytes bytes = golden("join");
  Preface connector = request();
  connector.join = true;
  const Join m{encode_preface(connector),
               encode_preface(answer()),
               counting<16>(0xa0),
               3,
               258,
               (uint64_t{1} << 32) + 2,
               260};
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const Join n = decode<Join>(bytes);
  CHECK(to_hex(n.prefaces.connector) == to_hex(m.prefaces.connector));
  CHECK(to_hex(n.prefaces.listener) == to_hex(m.prefaces.listener));
  CHECK(to_hex(n.session) == to_hex(m.session));
  CHECK(n.stream == 3);
  CHECK(n.generation == 258);
  CHECK(n.taken == (uint64_t{1} << 32) + 2);
  CHECK(n.acks == 260);
}

TEST_CASE("golden: FIN") {
  const Bytes bytes = golden("fin");
  const Fin m{2,
              {"sendfile", "none", "asked for", "--ktls=off"},
              {3'000'000, 5000, 0, 700'000, 2'900'000, 12, 11}};
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const Fin n = decode<Fin>(bytes);
  CHECK(n.entries == 2);
  CHECK(n.path.engine == "sendfile");
  CHECK(n.path.tls == "none");
  CHECK(n.path.why == "asked for");
  CHECK(n.path.tls_why == "--ktls=off");
  CHECK(n.figures.moving_us == 3'000'000);
  CHECK(n.figures.waiting_us == 5000);
  CHECK(n.figures.syncing_us == 0);
  CHECK(n.figures.cpu_us == 700'000);
  CHECK(n.figures.busy_us == 2'900'000);
  CHECK(n.figures.looks == 12);
  CHECK(n.figures.backlogs == 11);
}

TEST_CASE("golden: VERDICT") {
  const Bytes bytes = golden("verdict");
  const Verdict m{ExitStatus::Partial,
                  true,
                  2,
                  5368709121,
                  counting<16>(0x40),
                  3,
                  {"splice", "user", "", "no module"},
                  {3'100'000, 0, 80'000, 900'000, 0, 11, 1},
                  {2, true, "no"}};
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const Verdict n = decode<Verdict>(bytes);
  CHECK(n.deletion.deleted == 2);
  CHECK(n.deletion.failed);
  CHECK(n.deletion.reason == "no");
  CHECK(n.status == ExitStatus::Partial);
  CHECK(n.durable);
  CHECK(n.entries == 2);
  CHECK(n.bytes == 5368709121);
  CHECK(to_hex(n.root) == to_hex(counting<16>(0x40)));
  CHECK(n.retransmitted_blocks == 3);
  CHECK(n.path.engine == "splice");
  CHECK(n.path.tls == "user");
  CHECK(n.path.why.empty());
  CHECK(n.path.tls_why == "no module");
  CHECK(n.figures.syncing_us == 80'000);
  CHECK(n.figures.backlogs == 1);
}

TEST_CASE("golden: DELETED") {
  const Bytes bytes = golden("deleted");
  CHECK(to_hex(encode(Deleted{{{"a/b"}, {"a"}}})) == to_hex(bytes));
  const Deleted n = decode<Deleted>(bytes);
  REQUIRE(n.paths.size() == 2);
  CHECK(n.paths[0].path == "a/b");
}

TEST_CASE("golden: RESULTS") {
  const Bytes bytes = golden("results");
  const std::vector<Result> m = {
      {1, 100'000, ExitStatus::Ok, false, "", {true, false, true, false, true}},
      {100'001, 1, ExitStatus::Ok, true, "exists"},
      {uint64_t{1} << 32, 2, ExitStatus::NoSpace, false, "disk full"}};
  CHECK(to_hex(encode(Results{m})) == to_hex(bytes));
  CHECK(decode<Results>(bytes).runs == m);
}

TEST_CASE("golden: WANTED, and an ENTRY that asks") {
  const Bytes bytes = golden("wanted");
  const std::vector<WantedRun> m = {{2, 4096, false}, {uint64_t{1} << 32, 1, false}, {1, 1, true}};
  CHECK(to_hex(encode(Wanted{m})) == to_hex(bytes));
  CHECK(decode<Wanted>(bytes).runs == m);

  const Bytes asks = golden("entry_asks");
  EntryInfo info;
  info.name = {"f"};
  info.size = 100;
  info.mtime_sec = 1'600'000'000;
  info.mtime_nsec = 5;
  info.mode = 0644;
  info.asks = true;
  CHECK(to_hex(encode(info)) == to_hex(asks));
  CHECK(decode<EntryInfo>(asks).asks);
}

TEST_CASE("golden: HEARTBEAT") {
  const Bytes bytes = golden("heartbeat");
  CHECK(to_hex(encode(Heartbeat{(uint64_t{1} << 32) + 2})) == to_hex(bytes));
  CHECK(decode<Heartbeat>(bytes).taken == (uint64_t{1} << 32) + 2);
}

TEST_CASE("golden: ERROR and its seal") {
  const Bytes bytes = golden("error");
  const ErrorMessage m{ExitStatus::NoSpace, "disk full"};
  CHECK(to_hex(encode(m)) == to_hex(bytes));
  const ErrorMessage n = decode<ErrorMessage>(bytes);
  CHECK(n.status == ExitStatus::NoSpace);
  CHECK(n.text == "disk full");

  const Bytes payload = golden("sealed");
  CHECK(to_hex(seal(encode(m))) == to_hex(payload));
  CHECK(to_hex(unseal(payload)) == to_hex(bytes));
}

TEST_CASE("golden: HOLE and RETRY and BYE and STREAMS") {
  CHECK(to_hex(encode(Hole{4294967296})) == to_hex(golden("hole")));
  CHECK(decode<Hole>(golden("hole")).length == 4294967296);
  CHECK(to_hex(encode(Retry{1048576})) == to_hex(golden("retry")));
  CHECK(decode<Retry>(golden("retry")).length == 1048576);
  CHECK(to_hex(encode(Bye{ExitStatus::SourceChanged})) == to_hex(golden("bye")));
  CHECK(decode<Bye>(golden("bye")).status == ExitStatus::SourceChanged);
  CHECK(to_hex(encode(Streams{3})) == to_hex(golden("streams")));
  CHECK(decode<Streams>(golden("streams")).count == 3);
}

TEST_CASE("golden: no file that no test reads") {
  const std::set<std::string> read{"preface_request",
                                   "preface_join",
                                   "preface_answer",
                                   "frame_header",
                                   "hello",
                                   "welcome",
                                   "join",
                                   "entry",
                                   "digest",
                                   "end",
                                   "fin",
                                   "verdict",
                                   "results",
                                   "deleted",
                                   "heartbeat",
                                   "error",
                                   "sealed",
                                   "hole",
                                   "retry",
                                   "bye",
                                   "streams",
                                   "entry_open_ended",
                                   "entry_directory",
                                   "entry_symlink",
                                   "entry_attributes",
                                   "entry_hard_link",
                                   "entry_asks",
                                   "wanted"};
  std::set<std::string> there;
  for (const auto& file : std::filesystem::directory_iterator(ZX_SOURCE_DIR "/tests/golden"))
    there.insert(file.path().stem().string());
  CHECK(there == read);
}

}  // namespace
}  // namespace zx
