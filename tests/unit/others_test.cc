// SPDX-License-Identifier: MIT
#include "zrecv/others.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/unit/temp_dir.h"
#include "zrecv/deleter.h"

namespace zx {
namespace {

namespace fs = std::filesystem;

// A destination with the directory "d", in which "told" has come.
struct Place {
  Place() {
    fs::create_directory(dir.at("d"));
    file("d/told");
    told.add("d/told");
  }
  void file(const std::string& name) const { std::ofstream(dir.at(name)) << "x"; }
  bool has(const std::string& name) const { return fs::exists(fs::symlink_status(dir.at(name))); }
  void look(Others& others) const { others.look(*root.open_child("d"), "d/", 2, told); }

  TempDir dir;
  HeldDir root = HeldDir::open_operator_path(dir.path());
  NameSet told{NameSet::Key{}};
};

std::vector<Filter> keep(const std::vector<FilterRule>& rules) {
  return {Filter(), Filter(rules)};
}

// Of a walk that removes nothing: what would go, and why the rest stays.
std::string all_of(OthersWalk& walk) {
  std::string out;
  while (const auto step = walk.next()) {
    if (step->kind == OthersWalk::Step::Goes) out += step->path + (step->directory ? "/ " : " ");
    if (step->kind == OthersWalk::Step::Stays) out += step->failed ? "! " : "= ";
  }
  return out;
}

std::string listed(const Place& place, Others& others) {
  OthersWalk walk(place.root, others, /*removes=*/false, false);
  return all_of(walk);
}

}  // namespace

TEST_CASE("others: what the source does not have, and all that is in it, before itself") {
  const Place place;
  fs::create_directories(place.dir.at("d/a/b"));
  place.file("d/a/b/f");
  place.file("beside");
  fs::create_symlink("/etc", place.dir.at("d/a/b/l"));
  Others others({}, /*dry_run=*/false);
  CHECK(others.empty());
  place.look(others);
  CHECK_FALSE(others.empty());
  const std::string all = listed(place, others);
  CHECK((all == "d/a/b/f d/a/b/l d/a/b/ d/a/ " || all == "d/a/b/l d/a/b/f d/a/b/ d/a/ "));
  CHECK(listed(place, others) == all);  // as often as somebody asks
  CHECK(place.has("d/a/b/f"));
}

TEST_CASE("others: what is excluded keeps what it is in; names of ours too") {
  const Place place;
  fs::create_directories(place.dir.at("d/a/b"));
  fs::create_directories(place.dir.at("d/cache"));
  place.file("d/cache/f");
  place.file("d/a/b/f.o");
  place.file("d/a/g");
  place.file("d/.zrecv-1");
  Others others(keep({{false, "/a/b/*.o"}, {false, "cache/"}}), /*dry_run=*/false);
  place.look(others);
  const std::string all = listed(place, others);
  CHECK((all == "= d/a/g " || all == "d/a/g = "));
  chmod(place.dir.at("d/a").c_str(), 0555);
  OthersWalk walk(place.root, others, /*removes=*/true, false);
  while (const auto step = walk.next()) {
    struct stat st {};
    CHECK(fstat(step->dir, &st) == (step->kind == OthersWalk::Step::Goes ? 0 : -1));
    if (step->kind == OthersWalk::Step::Goes) CHECK(st.st_mode == (S_IFDIR | 0755));
  }
  CHECK(fs::status(place.dir.at("d/a")).permissions() == fs::perms(0555));
  chmod(place.dir.at("d/a").c_str(), 0755);
  place.file("d/a/b/.zrecv-2");
  CHECK(listed(place, others).find("d/a/b/.zrecv-2") == std::string::npos);
}

TEST_CASE("others: a pattern from the top is below the source, whatever that is called here") {
  const Place place;
  place.file("d/x");
  Others of_named(keep({{false, "/x"}}), false), other(keep({{false, "/d/x"}}), false);
  place.look(of_named);
  CHECK(listed(place, of_named).empty());
  place.look(other);
  CHECK(listed(place, other) == "d/x ");
}

TEST_CASE("others: nothing goes where what has come is not there under its name") {
  Place place;
  place.file("d/x");
  place.told.add("d/Told");  // as on a file system that folds names
  Others others({}, /*dry_run=*/false);
  place.look(others);
  CHECK(listed(place, others) == "! ");
}

TEST_CASE("others: what has changed since it was found stays") {
  const Place place;
  place.file("d/x");
  place.file("d/gone");
  fs::create_directory(place.dir.at("d/sub"));
  place.file("d/sub/f");
  place.file("other");
  Others others({}, /*dry_run=*/false);
  place.look(others);
  SECTION("a name") {
    fs::rename(place.dir.at("other"), place.dir.at("d/x"));
    fs::remove(place.dir.at("d/gone"));
    const std::string all = listed(place, others);
    CHECK(all.find("d/x") == std::string::npos);
    CHECK(all.find("! ") != std::string::npos);
    CHECK(all.find("d/gone") == std::string::npos);
  }
  SECTION("the directory that was received") {
    fs::rename(place.dir.at("d"), place.dir.at("moved"));
    fs::create_directory(place.dir.at("d"));
    fs::create_hard_link(place.dir.at("moved/x"), place.dir.at("d/x"));
    CHECK(listed(place, others) == "! ");
  }
  SECTION("a link in its place") {
    fs::rename(place.dir.at("d"), place.dir.at("moved"));
    fs::create_symlink("moved", place.dir.at("d"));
    CHECK(listed(place, others) == "! ");
  }
}

TEST_CASE("others: who swaps a directory for a link while it is cleared leads nowhere") {
  const Place place;
  fs::create_directory(place.dir.at("out"));
  for (int i = 0; i < 8; ++i) {
    fs::create_directories(place.dir.at("d/v/" + std::to_string(i)));
    place.file("d/v/" + std::to_string(i) + "/secret");
  }
  place.file("out/secret");
  Others others({}, /*dry_run=*/false);
  place.look(others);
  OthersWalk walk(place.root, others, /*removes=*/true, false);
  // The first one is open; then all are swapped.
  auto step = walk.next();
  REQUIRE(step);
  CHECK(unlinkat(step->dir, step->name.c_str(), 0) == 0);
  for (int i = 0; i < 8; ++i) {
    const std::string at = place.dir.at("d/v/" + std::to_string(i));
    fs::rename(at, at + ".was");
    fs::create_symlink("../../out", at);
  }
  while ((step = walk.next())) {
    if (step->kind != OthersWalk::Step::Goes) continue;
    if (unlinkat(step->dir, step->name.c_str(), step->directory ? AT_REMOVEDIR : 0) != 0)
      walk.not_removed();
  }
  CHECK(place.has("out/secret"));
}

TEST_CASE("deleter: all goes, or with a limit that is too small nothing") {
  const Place place;
  fs::create_directories(place.dir.at("d/a/b"));
  for (int i = 0; i < 3000; ++i) place.file("d/a/b/" + std::to_string(i));
  Others others({}, /*dry_run=*/false);
  place.look(others);
  for (const uint64_t most : {uint64_t{3001}, uint64_t{3002}}) {
    DeleteRules rules;
    rules.most = most;
    Deleter deleter(place.root, others, rules);
    size_t told = 0, messages = 0;
    for (bool more = true; more; ++messages) {
      more = deleter.go_on();
      const auto gone = deleter.take_gone();
      CHECK(gone.size() <= kMaxDeleted);
      told += gone.size();
    }
    INFO(deleter.result().reason);
    CHECK(deleter.result().failed == (most == 3001));
    CHECK(deleter.result().deleted == (most == 3001 ? 0 : 3002));
    CHECK(told == deleter.result().deleted);
    CHECK(place.has("d/a") == (most == 3001));
    CHECK((messages > 2) == (most != 3001));
  }
  CHECK(place.has("d/told"));
}

TEST_CASE("deleter: what cannot be removed stays with what it is in, and the rest goes") {
  const Place place;
  fs::create_directories(place.dir.at("d/a/b"));
  place.file("d/a/b/f");
  place.file("d/x");
  Others others({}, /*dry_run=*/false);
  place.look(others);
  OthersWalk walk(place.root, others, /*removes=*/true, false);
  std::string gone;
  while (const auto step = walk.next()) {
    if (step->kind != OthersWalk::Step::Goes) continue;
    if (step->name == "f")
      walk.not_removed();
    else
      gone += step->path + " ";
    if (step->name == "x") fs::remove(place.dir.at("d/x"));
  }
  CHECK(gone == "d/x ");
}

}  // namespace zx
