// SPDX-License-Identifier: MIT
#include "common/file/name_list.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "common/base/error.h"
#include "common/wire/limits.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

std::vector<std::string> names_of(const NameList& list) {
  std::vector<std::string> out;
  for (size_t i = 0; i < list.size(); ++i) out.emplace_back(list[i]);
  return out;
}

NameList list_of(const std::string& text, char end = '\n') {
  const TempDir t;
  std::ofstream(t.at("list")) << text;
  return {t.at("list"), end};
}

}  // namespace

using Names = std::vector<std::string>;

TEST_CASE("NameList: in order, each once, what is below a directory behind it") {
  CHECK(names_of(list_of("b\na/y\na.x\na\na/x\nb\na/\n")) == Names{"a", "a/x", "a/y", "a.x", "b"});
}

TEST_CASE("NameList: what means nothing, and no last newline") {
  CHECK(names_of(list_of("./a//b\n\n/c/./d/\n ")) == Names{" ", "a/b", "c/d"});
  CHECK(list_of("").size() == 0);
  CHECK_FALSE(list_of("a").has_top());
  CHECK(list_of("./\n").has_top());
  CHECK(list_of("\n\n").size() == 0);
}

TEST_CASE("NameList: with NULs, names have newlines; a long list") {
  CHECK(names_of(list_of(std::string("a\nb\0c", 5), '\0')) == Names{"a\nb", "c"});
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "d/" + std::to_string(i % 50000) + "\n";
  CHECK(list_of(text).size() == 50000);
}

TEST_CASE("NameList: what cannot be a name below is refused, and its number is told") {
  CHECK_THROWS_WITH(list_of("a\n../b\n"), Catch::Contains("name 2"));
  CHECK_THROWS_AS(list_of("a/../b"), Error);
  CHECK_THROWS_AS(list_of(std::string("a\0b", 3)), Error);
  CHECK_THROWS_AS(list_of(std::string(256, 'x')), Error);
  CHECK(list_of(std::string(255, 'x')).size() == 1);
  std::string deep;
  for (size_t i = 0; i <= kMaxTreePathBytes / 2; ++i) deep += "d/";
  CHECK_THROWS_WITH(list_of(deep + "\n"), Catch::Contains("16 KiB"));
  CHECK_THROWS_WITH(list_of(std::string(1 << 20, 'x')), Catch::Contains("16 KiB"));
  CHECK_THROWS_AS(NameList("/nowhere/list", '\n'), Error);
}

}  // namespace zx
