// SPDX-License-Identifier: MIT
#include "zrecv/file_destination.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/base/error.h"
#include "common/file/name.h"
#include "tests/unit/outcome.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

// A directory of this test with: dir/ dir/sub/ file link_to_file link_to_dir dangling fifo
class Tree : public TempDir {
 public:
  Tree() {
    fs::create_directories(path_ / "dir/sub");
    std::ofstream(path_ / "file") << "12345";
    std::ofstream(path_ / "dir/inner") << "123";
    fs::create_symlink("file", path_ / "link_to_file");
    fs::create_symlink("dir", path_ / "link_to_dir");
    fs::create_symlink("nowhere", path_ / "dangling");
    fs::create_symlink("../../file", path_ / "dir/sub/link_out");
    REQUIRE(mkfifo(at("fifo").c_str(), 0600) == 0);
  }
};

EntryInfo entry(const std::string& name) {
  EntryInfo out;
  out.name = {name};
  return out;
}

// What the peer's operator wrote after zs://host/.
Negotiated peers_path(const Names& path, bool is_directory, bool no_target_directory) {
  Negotiated out;
  out.path = path;
  out.path_is_directory = is_directory;
  out.no_target_directory = no_target_directory;
  return out;
}

FileDestination destination_of(const std::string& path, bool no_target_directory = false) {
  Terms wishes;
  wishes.no_target_directory = no_target_directory;
  return {path, wishes, /*listens=*/false};
}

// The final path of an entry, with the directory that is really behind the held descriptor.
std::string place(const Target& target) {
  return fs::read_symlink("/proc/self/fd/" + std::to_string(target.dir().fd())).string() + "/" +
         target.name;
}

std::string place_of(const std::string& destination, bool no_target_directory = false) {
  FileDestination d = destination_of(destination, no_target_directory);
  return place(d.target_for(entry("name")));
}

// --- what the operator of zrecv wrote

TEST_CASE("Destination: an existing directory receives entries by their names") {
  const Tree t;
  for (const char* path : {"dir", "dir/", "dir//", "dir/.", "link_to_dir", "link_to_dir/"}) {
    INFO(path);
    CHECK(place_of(t.at("") + path) == t.at("dir/name"));
  }
  FileDestination d = destination_of(t.at("dir"));
  CHECK(place(d.target_for(entry("a"))) == t.at("dir/a"));
  CHECK(place(d.target_for(entry("b"))) == t.at("dir/b"));
}

TEST_CASE("Destination: anything else is the new name") {
  const Tree t;
  CHECK(place_of(t.at("new")) == t.at("new"));
  CHECK(place_of(t.at("dir/new")) == t.at("dir/new"));
  CHECK(place_of(t.at("link_to_dir/new")) == t.at("dir/new"));
  CHECK(place_of(t.at("dir//new")) == t.at("dir/new"));
}

TEST_CASE("Destination: an existing file is the name and is seen") {
  const Tree t;
  FileDestination d = destination_of(t.at("file"));
  const Target target = d.target_for(entry("name"));
  CHECK(place(target) == t.at("file"));
  const auto existing = target.dir().stat_child(target.name);
  REQUIRE(existing);
  CHECK(existing->st_size == 5);

  FileDestination into = destination_of(t.at("dir"));
  const Target inner = into.target_for(entry("inner"));
  REQUIRE(inner.dir().stat_child(inner.name));
  CHECK(inner.dir().stat_child(inner.name)->st_size == 3);
  CHECK_FALSE(inner.dir().stat_child("name"));
}

TEST_CASE("Destination: the operator's link to a file means that file") {
  const Tree t;
  CHECK(place_of(t.at("link_to_file")) == t.at("file"));
  CHECK(place_of(t.at("dir/sub/link_out")) == t.at("file"));
}

TEST_CASE("Destination: what cannot receive a file is refused before anything is read") {
  const Tree t;
  for (const char* path :
       {"new/", "file/", "link_to_file/", "none/new", "file/new", "dangling", "fifo", "none/"}) {
    INFO(path);
    CHECK(outcome([&] { destination_of(t.at("") + path); }) == "file-io");
  }
  CHECK(outcome([] { destination_of("/dev/null"); }) == "file-io");
}

TEST_CASE("Destination: with -T a directory is never a place to put things in") {
  const Tree t;
  CHECK(place_of(t.at("new"), true) == t.at("new"));
  CHECK(place_of(t.at("file"), true) == t.at("file"));
  for (const char* path : {"dir", "dir/", "link_to_dir"}) {
    INFO(path);
    CHECK(outcome([&] { destination_of(t.at(path), true); }) != "no error");
    CHECK_THROWS_WITH(destination_of(t.at(path), true), Catch::Contains("-T"));
  }
}

TEST_CASE("Destination: several entries need a directory") {
  const Tree t;
  for (const char* path : {"new", "file"}) {
    INFO(path);
    FileDestination d = destination_of(t.at(path));
    CHECK(outcome([&] { d.target_for(entry("a")); }) == "no error");
    CHECK(outcome([&] { d.target_for(entry("b")); }) == "refused");
  }
}

TEST_CASE("Destination: unsafe names of entries are refused whatever the destination is") {
  const Tree t;
  for (const char* path : {"dir", "new"})
    for (const Names& name :
         {Names{}, Names{""}, Names{"."}, Names{".."}, Names{"a/b"}, Names{"/etc/passwd"},
          Names{"a", "b"}, Names{"..", "b"}, Names{std::string("a\0", 2)}, Names{".zrecv-1"},
          Names{std::string(256, 'x')}}) {
      FileDestination d = destination_of(t.at(path));
      EntryInfo bad;
      bad.name = name;
      INFO(path << " " << name.size());
      CHECK(outcome([&] { d.target_for(bad); }) == "refused");
    }
}

TEST_CASE("Destination: a link in the directory is seen as a link and not followed") {
  const Tree t;
  FileDestination d = destination_of(t.at(""));
  for (const char* name : {"link_to_file", "link_to_dir", "dangling"}) {
    const Target target = d.target_for(entry(name));
    INFO(name);
    const auto existing = target.dir().stat_child(target.name);
    REQUIRE(existing);
    CHECK(S_ISLNK(existing->st_mode));
    CHECK(target.name == name);
  }
}

// --- what the peer's operator wrote after zs://host/

std::string aimed_place(const std::string& root, const Names& path, bool is_directory = false,
                        bool no_target_directory = false) {
  FileDestination d = destination_of(root);
  d.aim(peers_path(path, is_directory, no_target_directory), /*pull=*/false);
  return place(d.target_for(entry("name")));
}

TEST_CASE("Destination aim: a path below the root") {
  const Tree t;
  CHECK(aimed_place(t.at("dir"), {}) == t.at("dir/name"));
  CHECK(aimed_place(t.at("dir"), {"new"}) == t.at("dir/new"));
  CHECK(aimed_place(t.at("dir"), {"inner"}) == t.at("dir/inner"));
  CHECK(aimed_place(t.at("dir"), {"sub"}) == t.at("dir/sub/name"));
  CHECK(aimed_place(t.at("dir"), {"sub"}, true) == t.at("dir/sub/name"));
  CHECK(aimed_place(t.at("dir"), {"sub", "new"}) == t.at("dir/sub/new"));
  CHECK(aimed_place(t.at(""), {"dir", "sub"}) == t.at("dir/sub/name"));
  CHECK(aimed_place(t.at(""), {"dir", "sub", "new"}) == t.at("dir/sub/new"));
}

TEST_CASE("Destination aim: a path with an unsafe component is refused") {
  const Tree t;
  for (const Names& path : {Names{".."}, Names{"..", "file"}, Names{"sub", "..", "x"}, Names{"."},
                            Names{""}, Names{"sub", ""}, Names{"sub/x"}, Names{"/etc"},
                            Names{".zrecv-1"}, Names{std::string(256, 'x')}}) {
    INFO(join_path(path));
    CHECK(outcome([&] {
            destination_of(t.at("dir")).aim(peers_path(path, false, false), false);
          }) == "refused");
  }
}

TEST_CASE("Destination aim: no way leads through a symbolic link") {
  const Tree t;
  CHECK(outcome([&] { aimed_place(t.at(""), {"link_to_dir", "new"}); }) != "no error");
  CHECK(outcome([&] { aimed_place(t.at(""), {"link_to_dir"}, true); }) != "no error");
  CHECK(outcome([&] { aimed_place(t.at(""), {"dangling", "new"}); }) != "no error");
  // As the last component it is a name that is replaced, not a directory that is entered.
  CHECK(aimed_place(t.at(""), {"link_to_dir"}) == t.at("link_to_dir"));
  CHECK(aimed_place(t.at("dir"), {"sub", "link_out"}) == t.at("dir/sub/link_out"));
}

TEST_CASE("Destination aim: no directory is made") {
  const Tree t;
  CHECK(outcome([&] { aimed_place(t.at("dir"), {"none", "new"}); }) == "file-io");
  CHECK(outcome([&] { aimed_place(t.at("dir"), {"none"}, true); }) == "file-io");
  CHECK(outcome([&] { aimed_place(t.at("dir"), {"inner", "new"}); }) == "file-io");
  CHECK(outcome([&] { aimed_place(t.at("dir"), {"inner"}, true); }) == "file-io");
  CHECK_FALSE(fs::exists(t.at("dir/none")));
}

TEST_CASE("Destination aim: with -T a directory is not entered") {
  const Tree t;
  CHECK(aimed_place(t.at("dir"), {"new"}, false, true) == t.at("dir/new"));
  CHECK(aimed_place(t.at("dir"), {"inner"}, false, true) == t.at("dir/inner"));
  CHECK(outcome([&] { aimed_place(t.at("dir"), {"sub"}, false, true); }) != "no error");
  CHECK(outcome([&] { aimed_place(t.at("dir"), {}, false, true); }) != "no error");
}

TEST_CASE("Destination aim: a receiver of one name takes no other from the peer") {
  const Tree t;
  FileDestination d = destination_of(t.at("new"));
  CHECK(outcome([&] { d.aim(peers_path({}, false, true), false); }) == "no error");
  CHECK(outcome([&] { d.aim(peers_path({"other"}, false, false), false); }) == "refused");
  CHECK(place(d.target_for(entry("name"))) == t.at("new"));
}

TEST_CASE("Destination aim: one name is for one entry") {
  const Tree t;
  FileDestination d = destination_of(t.at("dir"));
  d.aim(peers_path({"new"}, false, false), false);
  CHECK(outcome([&] { d.target_for(entry("a")); }) == "no error");
  CHECK(outcome([&] { d.target_for(entry("b")); }) == "refused");
}

// --- --overwrite

enum class Existing { Replace, Skip, Refuse };

Existing decide_existing(Overwrite here, Overwrite peer, const struct stat& existing,
                         const EntryInfo& info, bool even_seconds = false) {
  Negotiated agreed;
  agreed.overwrite = here;
  agreed.overwrite_peer = peer;
  std::string why;
  const std::string error =
      outcome([&] { why = why_left_alone(agreed, existing, info, "file", even_seconds); });
  if (error == "refused") return Existing::Refuse;
  REQUIRE(error == "no error");
  return why.empty() ? Existing::Replace : Existing::Skip;
}

TEST_CASE("why_left_alone: the rule of one side") {
  constexpr int64_t kSec = 1000;
  constexpr uint32_t kNsec = 500;
  constexpr uint64_t kSize = 77;
  struct {
    Overwrite rule;
    int64_t sec;  // of the existing file
    long nsec;
    off_t size;
    Existing expected;
  } const rows[] = {
      {Overwrite::Unset, kSec, kNsec, kSize, Existing::Replace},
      {Overwrite::Always, kSec, kNsec, kSize, Existing::Replace},
      {Overwrite::Always, kSec + 1, kNsec, kSize, Existing::Replace},
      {Overwrite::Never, kSec, kNsec, kSize, Existing::Refuse},
      {Overwrite::Never, kSec - 1, 0, 0, Existing::Refuse},
      {Overwrite::Skip, kSec, kNsec, kSize, Existing::Skip},
      {Overwrite::Skip, kSec - 1, 0, 0, Existing::Skip},
      {Overwrite::Older, kSec - 1, 999, kSize, Existing::Replace},
      {Overwrite::Older, kSec, kNsec - 1, kSize, Existing::Replace},
      {Overwrite::Older, kSec, kNsec, kSize, Existing::Skip},
      {Overwrite::Older, kSec, kNsec, kSize + 1, Existing::Skip},
      {Overwrite::Older, kSec, kNsec + 1, kSize, Existing::Skip},
      {Overwrite::Older, kSec + 1, 0, kSize, Existing::Skip},
      {Overwrite::Older, -1, 0, kSize, Existing::Replace},
      {Overwrite::Differ, kSec, kNsec, kSize, Existing::Skip},
      {Overwrite::Differ, kSec, kNsec, kSize + 1, Existing::Replace},
      {Overwrite::Differ, kSec, kNsec, kSize - 1, Existing::Replace},
      {Overwrite::Differ, kSec, kNsec + 1, kSize, Existing::Replace},
      {Overwrite::Differ, kSec + 1, kNsec, kSize, Existing::Replace},
      {Overwrite::Differ, kSec - 1, kNsec, kSize, Existing::Replace},
  };
  EntryInfo info = entry("x");
  info.mtime_sec = kSec;
  info.mtime_nsec = kNsec;
  info.size = kSize;
  for (const auto& row : rows) {
    struct stat st {};
    st.st_mtim = {row.sec, row.nsec};
    st.st_size = row.size;
    INFO(static_cast<int>(row.rule)
         << " time " << row.sec << "." << row.nsec << " size " << row.size);
    CHECK((decide_existing(row.rule, Overwrite::Unset, st, info) == row.expected));
    CHECK((decide_existing(Overwrite::Unset, row.rule, st, info) == row.expected));
    CHECK((decide_existing(row.rule, row.rule, st, info) == row.expected));
    CHECK((decide_existing(row.rule, Overwrite::Always, st, info) == row.expected));
    CHECK((decide_existing(row.rule, Overwrite::Never, st, info) == Existing::Refuse));
    CHECK((decide_existing(Overwrite::Never, row.rule, st, info) == Existing::Refuse));
  }
}

TEST_CASE("why_left_alone: a link and a file are never taken for each other") {
  for (const bool link : {false, true})
    for (const bool there : {false, true}) {
      EntryInfo info;
      info.mtime_sec = 1000;
      info.kind = link ? EntryKind::Symlink : EntryKind::File;
      if (link)
        info.target = "abcde";
      else
        info.size = 5;
      struct stat existing {};
      existing.st_mode = there ? S_IFLNK | 0777 : S_IFREG | 0644;
      existing.st_size = 5;
      existing.st_mtim.tv_sec = 1000;
      INFO(link << " over " << there);
      const Existing same = link == there ? Existing::Skip : Existing::Replace;
      CHECK(decide_existing(Overwrite::Differ, Overwrite::Unset, existing, info) == same);
      CHECK(decide_existing(Overwrite::Older, Overwrite::Unset, existing, info) == same);
      existing.st_mtim.tv_sec = 2000;
      CHECK(decide_existing(Overwrite::Older, Overwrite::Unset, existing, info) == same);
      CHECK(decide_existing(Overwrite::Skip, Overwrite::Unset, existing, info) == Existing::Skip);
      CHECK(decide_existing(Overwrite::Never, Overwrite::Unset, existing, info) ==
            Existing::Refuse);
    }
}

TEST_CASE("why_left_alone: a guess at the size is no reason to leave a file alone") {
  EntryInfo info = entry("x");
  info.mtime_sec = 1000;
  info.size = 77;
  struct stat same {};
  same.st_mtim = {1000, 0};
  same.st_size = 77;
  const auto differ = [&] {
    return decide_existing(Overwrite::Differ, Overwrite::Unset, same, info);
  };
  CHECK((differ() == Existing::Skip));
  info.open_ended = true;
  CHECK((differ() == Existing::Replace));
}

TEST_CASE("why_left_alone: a time that was cut to what a file system keeps is the same") {
  constexpr bool kEven = true;
  struct {
    int64_t sec;
    long nsec;  // of the existing file
    bool even_seconds;
    Existing differ, older;
  } const rows[] = {
      {1001, 123456789, false, Existing::Skip, Existing::Skip},
      {1001, 123456700, false, Existing::Skip, Existing::Skip},
      {1001, 123456000, false, Existing::Skip, Existing::Skip},
      {1001, 120000000, false, Existing::Skip, Existing::Skip},
      {1001, 0, false, Existing::Skip, Existing::Skip},
      {1001, 123456788, false, Existing::Replace, Existing::Replace},
      {1001, 1, false, Existing::Replace, Existing::Replace},
      {1001, 123456790, false, Existing::Replace, Existing::Skip},
      {1000, 0, false, Existing::Replace, Existing::Replace},
      {1000, 0, kEven, Existing::Skip, Existing::Skip},
      {1000, 1, kEven, Existing::Replace, Existing::Replace},
      {1002, 0, kEven, Existing::Replace, Existing::Skip},
      {998, 0, kEven, Existing::Replace, Existing::Replace},
  };
  EntryInfo info = entry("x");
  info.mtime_sec = 1001;
  info.mtime_nsec = 123456789;
  info.size = 77;
  for (const auto& row : rows) {
    struct stat st {};
    st.st_mtim = {row.sec, row.nsec};
    st.st_size = 77;
    INFO(row.sec << '.' << row.nsec << ' ' << row.even_seconds);
    const auto got = [&](Overwrite rule) {
      return decide_existing(rule, Overwrite::Unset, st, info, row.even_seconds);
    };
    CHECK((got(Overwrite::Differ) == row.differ));
    CHECK((got(Overwrite::Older) == row.older));
  }
  info.mtime_sec = -1;  // of 1969
  struct stat before {};
  before.st_mtim = {-2, 0};
  before.st_size = 77;
  CHECK((decide_existing(Overwrite::Differ, Overwrite::Unset, before, info, kEven) ==
         Existing::Skip));
}

TEST_CASE("why_left_alone: of two rules the stricter answer wins") {
  EntryInfo info = entry("x");
  info.mtime_sec = 1000;
  info.size = 77;
  struct stat newer_and_other {};
  newer_and_other.st_mtim = {2000, 0};
  newer_and_other.st_size = 1;
  // Differ would replace it, Older would not.
  CHECK((decide_existing(Overwrite::Differ, Overwrite::Older, newer_and_other, info) ==
         Existing::Skip));
  CHECK((decide_existing(Overwrite::Older, Overwrite::Differ, newer_and_other, info) ==
         Existing::Skip));
}

}  // namespace
}  // namespace zx
