// SPDX-License-Identifier: MIT
#include "common/file/tree_walk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

namespace fs = std::filesystem;

void write(const std::string& path, const std::string& content = "x") {
  std::ofstream(path) << content;
}

// "D name", "F name", "L name target", "U", "! name status", in the order of the walk.
std::string words(const WalkStep& step) {
  switch (step.kind) {
    case WalkStep::Directory:
      return "D" + step.name;
    case WalkStep::File:
      return "F" + step.name;
    case WalkStep::Symlink:
      return "L" + step.name + ">" + step.target;
    case WalkStep::Up:
      return step.failure ? "U!" : "U";
    case WalkStep::Nothing:
      return "N";
    case WalkStep::LeftOut:
      return "-" + step.name;
    case WalkStep::Failed:
      return "!" + step.name + ":" + std::to_string(static_cast<int>(step.failure->status()));
  }
  return "";
}

std::string rest_of(TreeWalk& walk) {
  std::string out;
  while (const auto step = walk.next()) out += words(*step) + " ";
  return out;
}

TreeWalk walk_of(const std::string& path, const std::string& name) {
  static const WalkRules kPlain;
  return {UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY)), path, name, TreeWalk::now(),
          kPlain};
}

std::string all_of(const std::string& path, const std::string& name) {
  TreeWalk walk = walk_of(path, name);
  return rest_of(walk);
}

// Until file systems write down a later time.
void await_tick() {
  const timespec before = TreeWalk::now();
  timespec tick{};
  do (void)clock_gettime(CLOCK_REALTIME_COARSE, &tick);
  while (std::pair(tick.tv_sec, tick.tv_nsec) <= std::pair(before.tv_sec, before.tv_nsec));
}

// What these rules, and a list if it is given, make of it.
std::string all_of(const std::string& path, const WalkRules& rules, const std::string& list = "") {
  const TempDir t;
  write(t.at("list"), list);
  const NameList names(t.at("list"), '\n');
  TreeWalk walk(UniqueFd(open(path.c_str(), O_RDONLY | O_DIRECTORY)), path, "", TreeWalk::now(),
                rules, list.empty() ? nullptr : &names);
  return rest_of(walk);
}

}  // namespace

TEST_CASE("TreeWalk: files before directories, every name once, and each directory has its end") {
  const TempDir t;
  fs::create_directories(t.at("d/sub/empty"));
  write(t.at("d/file"));
  write(t.at("d/sub/inner"));
  TreeWalk walk = walk_of(t.at("d"), "d");
  CHECK(rest_of(walk) == "Dd Ffile Dsub Finner Dempty U U U ");
  CHECK_FALSE(walk.next());
}

TEST_CASE("TreeWalk: without a name for its root") {
  const TempDir t;
  write(t.at("file"));
  CHECK(all_of(t.at("."), "") == "D Ffile U ");
}

TEST_CASE("TreeWalk: links are told, not followed; what is neither is told too") {
  const TempDir t;
  fs::create_directory(t.at("d"));
  fs::create_directory_symlink("/etc", t.at("d/link"));
  CHECK(all_of(t.at("d"), "d") == "Dd Llink>/etc U ");
  fs::remove(t.at("d/link"));
  REQUIRE(mkfifo(t.at("d/fifo").c_str(), 0600) == 0);
  CHECK(all_of(t.at("d"), "d") == "Dd !fifo:6 U ");
  fs::remove(t.at("d/fifo"));
  write(t.at("d/.zrecv-0123"));
  CHECK(all_of(t.at("d"), "d") == "Dd -.zrecv-0123 U ");
}

TEST_CASE("TreeWalk: what goes while it walks has vanished") {
  const TempDir t;
  fs::create_directories(t.at("d/sub"));
  TreeWalk walk = walk_of(t.at("d"), "d");
  CHECK(words(*walk.next()) == "Dd");
  write(t.at("d/first"));
  CHECK(words(*walk.next()) == "Ffirst");  // all names are read with this one
  fs::remove(t.at("d/sub"));
  CHECK(rest_of(walk) == "!sub:24 U ");
}

TEST_CASE("TreeWalk: a directory that is made meanwhile is not walked") {
  const TempDir t;
  fs::create_directories(t.at("d/old"));
  TreeWalk walk = walk_of(t.at("d"), "d");
  CHECK(words(*walk.next()) == "Dd");
  await_tick();
  fs::create_directories(t.at("d/old/new"));
  struct statx st {};
  const std::string made = t.at("d/old/new");
  REQUIRE(statx(AT_FDCWD, made.c_str(), 0, STATX_BTIME, &st) == 0);
  const bool known = (st.stx_mask & STATX_BTIME) != 0;
  CHECK(rest_of(walk) == (known ? "Dold !new:24 U U " : "Dold Dnew U U U "));
}

TEST_CASE("TreeWalk: leave() goes on behind the directory") {
  const TempDir t;
  fs::create_directories(t.at("d/a/b"));
  write(t.at("d/a/f"));
  TreeWalk walk = walk_of(t.at("d"), "d");
  CHECK(words(*walk.next()) == "Dd");
  CHECK(words(*walk.next()) == "Da");
  walk.leave();
  CHECK_FALSE(walk.next()->whole);  // of "a" nobody knows all names
  CHECK(walk.next()->whole);
  CHECK_FALSE(walk.next());
}

TEST_CASE("TreeWalk: a directory that cannot be entered is known to be one") {
  const TempDir t;
  fs::create_directories(t.at("d/sub"));
  write(t.at("d/file"));
  TreeWalk walk = walk_of(t.at("d"), "d");
  CHECK(words(*walk.next()) == "Dd");
  CHECK(words(*walk.next()) == "Ffile");  // all names are read with this one
  fs::remove(t.at("d/sub"));
  const auto sub = walk.next();
  CHECK(words(*sub) == "!sub:24");
  CHECK(S_ISDIR(sub->st.st_mode));
}

TEST_CASE("TreeWalk: a file that is leased comes again when that is wanted") {
  const TempDir t;
  fs::create_directory(t.at("d"));
  write(t.at("d/file"));
  TreeWalk walk = walk_of(t.at("d"), "d");
  CHECK(words(*walk.next()) == "Dd");
  CHECK(words(*walk.next()) == "Ffile");
  walk.again("file");
  CHECK(rest_of(walk) == "Ffile U ");
}

TEST_CASE("TreeWalk: what is excluded is not told, and not entered") {
  const TempDir t;
  fs::create_directories(t.at("d/keep"));
  fs::create_directories(t.at("d/cache/keep"));
  write(t.at("d/keep/x.o"));
  write(t.at("d/keep/cache"));
  write(t.at("d/.zrecv-1"));
  WalkRules rules{.recursive = true};
  rules.filters.push_back(Filter({{true, "/keep/x.o"}, {false, "*.o"}, {false, "cache/"}}));
  rules.filters.push_back(Filter({{false, ".zrecv-*"}}));
  const std::string found = all_of(t.at("d"), rules);
  CHECK((found == "D Dkeep Fx.o Fcache U U " || found == "D Dkeep Fcache Fx.o U U "));
  CHECK(all_of(t.at("d/"), rules).starts_with("D Dkeep F"));
  rules.filters.push_back(Filter({{false, "/keep/*"}}));
  CHECK(all_of(t.at("d"), rules) == "D Dkeep U U ");
}

TEST_CASE("TreeWalk: many excluded names do not keep it silent") {
  const TempDir t;
  fs::create_directories(t.at("d"));
  for (int i = 0; i < 600; ++i) write(t.at("d/" + std::to_string(i)));
  WalkRules rules;
  rules.filters.push_back(Filter({{false, "*"}}));
  std::string expected = "D ";
  for (int i = 0; i < 600 / 32; ++i) expected += "N ";
  CHECK(all_of(t.at("d"), rules) == expected + "U ");
}

TEST_CASE("TreeWalk: links that are followed") {
  const TempDir t;
  const WalkRules rules{.recursive = true, .follow_links = true};
  fs::create_directories(t.at("d"));
  fs::create_directories(t.at("other"));
  write(t.at("other/f"));
  fs::create_directory_symlink("../other", t.at("d/l"));
  CHECK(all_of(t.at("d"), rules) == "D Dl Ff U U ");
  // Back to one that is open: its name fails, and the rest goes on.
  fs::create_directory_symlink("../d", t.at("other/back"));
  CHECK(all_of(t.at("d"), rules) == "D Dl Ff !back:6 U U ");
  fs::remove(t.at("d/l"));
  fs::create_symlink("nowhere", t.at("d/l"));
  CHECK(all_of(t.at("d"), rules) == "D !l:6 U ");
  fs::remove(t.at("d/l"));
  fs::create_symlink("l", t.at("d/l"));
  CHECK(all_of(t.at("d"), rules) == "D !l:6 U ");
  fs::remove(t.at("d/l"));
  fs::create_symlink(".", t.at("d/l"));
  CHECK(all_of(t.at("d"), rules) == "D !l:6 U ");
}

TEST_CASE("TreeWalk: only what is on the list") {
  const TempDir t;
  fs::create_directories(t.at("d/a/b"));
  fs::create_directories(t.at("d/sub"));
  write(t.at("d/a/b/f"));
  write(t.at("d/a/g"));
  write(t.at("d/h"));
  write(t.at("d/sub/i"));
  fs::create_directory_symlink("sub", t.at("d/link"));
  const WalkRules flat, deep{.recursive = true}, follow{.follow_links = true};
  CHECK(all_of(t.at("d"), flat, "h\na/b/f\na/g\n") == "D Da Db Ff U Fg U Fh U ");
  CHECK(all_of(t.at("d"), flat, "a/b/f\nsub\n") == "D Da Db Ff U U Dsub U U ");
  CHECK(all_of(t.at("d"), deep, "sub\nsub/i\n") == "D Dsub Fi U U ");
  CHECK(all_of(t.at("d"), flat, "sub\nsub/i\n") == "D Dsub Fi U U ");
  CHECK(all_of(t.at("d"), flat, "link\n") == "D Llink>sub U ");
  CHECK(all_of(t.at("d"), flat, "link/i\n") == "D !link:6 U ");
  CHECK(all_of(t.at("d"), follow, "link/i\n") == "D Dlink Fi U U ");
  CHECK(all_of(t.at("d"), flat, "h/x\nno\nno2/x\nsub/no\n") ==
        "D !h:6 !no:6 !no2:6 Dsub !no:6 U U ");
  CHECK(all_of(t.at("d"), flat, ".\n") == "D U ");
  CHECK(all_of(t.at("d"), deep, ".\nh\n").size() == all_of(t.at("d"), deep).size());
  WalkRules rules;
  rules.filters.push_back(Filter({{false, "a"}}));
  CHECK(all_of(t.at("d"), rules, "a/b/f\na/g\nh\n") == "D Fh U ");
  write(t.at("d/sub/.zrecv-1"));
  CHECK(all_of(t.at("d"), flat, "sub/.zrecv-1\n") == "D Dsub -.zrecv-1 U U ");
}

}  // namespace zx
