// SPDX-License-Identifier: MIT
// ENTRY: what of it is taken, and what is refused.
#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "tests/unit/message_fixture.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

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
          (value <= 2 || value == 16 || value == 17 || value == 32 || value == 48 ? "no error"
                                                                                  : "protocol"));
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

}  // namespace
}  // namespace zx
