// SPDX-License-Identifier: MIT
#include "common/file/filter.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/error.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

bool excludes(const std::string& pattern, const std::string& path) {
  const bool directory = path.ends_with('/');
  return Filter({{false, pattern}})
      .excludes(path.substr(0, path.size() - (directory ? 1 : 0)), directory);
}

struct Case {
  std::string pattern;
  std::vector<std::string> out, in;  // with a slash at the end: a directory
};

}  // namespace

TEST_CASE("Filter: patterns mean what gitignore(5) says") {
  const std::vector<Case> cases{
      // A slash at the beginning or in the middle: from the top; else at any level.
      {"hello.*", {"hello.txt", "a/hello.c", "hello.d/"}, {"hello", "xhello.c"}},
      {"/hello.*", {"hello.txt", "hello.c"}, {"a/hello.java"}},
      {"doc/frotz", {"doc/frotz", "doc/frotz/"}, {"a/doc/frotz", "frotz", "doc"}},
      {"/doc/frotz", {"doc/frotz", "doc/frotz/"}, {"a/doc/frotz"}},
      // One at the end: directories only, and at any level.
      {"doc/frotz/", {"doc/frotz/"}, {"doc/frotz", "a/doc/frotz/"}},
      {"frotz/", {"frotz/", "a/frotz/"}, {"frotz", "a/frotz"}},
      {"/foo/", {"foo/"}, {"foo", "a/foo/"}},
      // '*' and '?' are no slash.
      {"foo/*", {"foo/test.json", "foo/bar/"}, {"foo/bar/hello.c", "foo", "a/foo/x"}},
      {"a*b", {"ab", "axyb", "x/ab"}, {"a/b", "abc"}},
      {"a?b", {"axb"}, {"ab", "a/b", "axxb"}},
      {"*", {"a", "a/b/c", ".hidden", "d/"}, {}},
      {"*.[oa]", {"x.o", "lib/x.a"}, {"x.c", "x.", "o"}},
      {"x*y*z", {"xyz", "x1y2z", "xyyzz"}, {"xzy", "xy"}},
      {"*a*a*a*a*a*b",
       {},
       {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}},
      // "**"
      {"**/foo", {"foo", "a/foo", "a/b/foo/"}, {"foox"}},
      {"**/foo/bar", {"foo/bar", "a/foo/bar"}, {"foo/a/bar"}},
      {"abc/**", {"abc/x", "abc/x/y", "abc/d/"}, {"abc/", "x/abc/y"}},
      {"a/**/b", {"a/b", "a/x/b", "a/x/y/b"}, {"ab", "a/x/bc", "x/a/b"}},
      {"a/**/b/**/c", {"a/b/c", "a/x/b/y/z/c", "a/b/b/c"}, {"a/c", "a/b"}},
      {"a/**/*.c", {"a/x.c", "a/b/x.c"}, {"x.c", "a/x.h"}},
      {"/**", {"a", "a/b"}, {}},
      {"**", {"a", "a/b"}, {}},
      {"**/", {"d/", "a/d/"}, {"a"}},
      {"foo**bar", {"foobar", "fooxbar"}, {"foo/bar"}},  // other stars in a row are one
      {"a/x**y", {"a/xy", "a/xzy"}, {"a/x/y"}},
      // Brackets.
      {"[a-c]x", {"ax", "cx"}, {"dx", "x", "-x"}},
      {"[!a-c]x", {"dx", "Ax"}, {"ax", "/x", "x"}},
      {"[^a]", {"b"}, {"a"}},
      {"[]]", {"]"}, {"[", "x"}},
      {"[!]a]", {"b"}, {"]", "a"}},
      {"[a-]", {"a", "-"}, {"b"}},
      {"[\\]-a]", {"]", "^", "a"}, {"\\", "b"}},
      {"[[:digit:]_]", {"1", "_"}, {"a", "[", ":"}},
      {"[![:space:]]", {"a"}, {" ", "\t"}},
      {"[[:upper:]][[:xdigit:]]", {"Af"}, {"af", "Ag"}},
      {"[\xe0-\xff]", {"\xe4", "\xff"}, {"a", "\xc3\xa4"}},  // bytes, not characters
      {"?", {"a", "\xff"}, {"\xc3\xa4"}},
      {"\xff*", {"\xff", "\xff\xfe"}, {"\xfe"}},
      // Escapes.
      {"\\*", {"*"}, {"a", "\\*"}},
      {"\\#x", {"#x"}, {"\\#x"}},
      {"\\!x", {"!x"}, {"x"}},
      {"a\\ ", {"a "}, {"a", "a\\ "}},
      {"\\a\\[", {"a["}, {"a"}},
      {"a b", {"a b"}, {"a"}},
      {"new\nline", {"new\nline"}, {"new"}},
  };
  for (const Case& c : cases) {
    INFO("pattern " << c.pattern);
    for (const std::string& path : c.out) {
      INFO(path);
      CHECK(excludes(c.pattern, path));
    }
    for (const std::string& path : c.in) {
      INFO(path);
      CHECK_FALSE(excludes(c.pattern, path));
    }
  }
}

TEST_CASE("Filter: the first that matches decides") {
  const Filter photos({{true, "*/"}, {true, "*.jpg"}, {false, "*"}});
  CHECK_FALSE(photos.excludes("a", true));
  CHECK_FALSE(photos.excludes("a/x.jpg", false));
  CHECK(photos.excludes("a/x.txt", false));
  const Filter other({{false, "*"}, {true, "*.jpg"}});
  CHECK(other.excludes("x.jpg", false));
  CHECK_FALSE(Filter().excludes("x", false));
  CHECK(Filter().empty());
}

TEST_CASE("Filter: a source by its own name is not what an anchored pattern means") {
  const Filter filter({{false, "/a"}, {false, "x/b"}, {false, "c"}, {false, "d/"}});
  CHECK_FALSE(filter.excludes_source("a", false));
  CHECK_FALSE(filter.excludes_source("b", false));
  CHECK(filter.excludes_source("c", false));
  CHECK(filter.excludes_source("d", true));
  CHECK_FALSE(filter.excludes_source("d", false));
  CHECK_FALSE(Filter({{false, "*"}}).excludes_source("", true));  // DIR/.
}

TEST_CASE("Filter: what can mean nothing is refused") {
  for (const std::string pattern : {"", "/", "//", "a//b", "!a", "a\\", "a\\/b", "[a", "a[/]b",
                                    "[]", "[!]", "../a", "a/./b", "."}) {
    INFO(pattern);
    CHECK_THROWS_AS(Filter({{false, pattern}}), Error);
  }
  CHECK_THROWS_AS(Filter({{false, std::string("a\0b", 3)}}), Error);
}

TEST_CASE("read_patterns: comments, blanks and blank lines") {
  const TempDir t;
  std::ofstream(t.at("list"))
      << "# comment\n\n*.o\n   \n\\#x\nblank  \nkept\\ \nslash\\\\  \r\n/a b/\nlast";
  const auto rules = read_patterns(t.at("list"), true);
  const std::vector<std::string> wanted{"*.o",       "\\#x",  "blank", "kept\\ ",
                                        "slash\\\\", "/a b/", "last"};
  REQUIRE(rules.size() == wanted.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    CHECK(rules[i].pattern == wanted[i]);
    CHECK(rules[i].include);
  }
  std::ofstream(t.at("bad")) << "good\n!bad\n";
  CHECK_THROWS_WITH(read_patterns(t.at("bad"), false), Catch::Contains("bad':2: "));
  CHECK_THROWS_AS(read_patterns(t.at("none"), false), Error);
  CHECK_THROWS_AS(read_patterns(t.at("."), false), Error);
}

}  // namespace zx
