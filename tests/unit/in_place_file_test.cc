// SPDX-License-Identifier: MIT
// InPlaceFile with regular files; block devices: tests/uml/guest/block_device.sh.
#include "common/file/in_place_file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/error.h"
#include "common/base/io.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

Caveats caveats;  // of calls that must have none

namespace fs = std::filesystem;

// A file of this test with this content.
class Scratch : public TempDir {
 public:
  explicit Scratch(const std::string& content) {
    std::ofstream(path(), std::ios::binary) << content;
  }
  std::string path() const { return at("file"); }
  std::string content() const {
    std::ifstream in(path(), std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }
};

std::string status_of_opening(const std::string& path) {
  try {
    const InPlaceFile file(path);
  } catch (const Error& e) {
    return std::string(status_name(e.status()));
  }
  return "no error";
}

TEST_CASE("InPlaceFile: opening and reserving touch nothing") {
  const Scratch s("12345");
  InPlaceFile file(s.path());
  file.reserve(1 << 20);
  CHECK(s.content() == "12345");
  CHECK(file.remark().empty());
}

TEST_CASE("InPlaceFile: what does not exist or is neither file nor device is refused") {
  const Scratch s("");
  const std::string dir = fs::path(s.path()).parent_path();
  REQUIRE(mkfifo((dir + "/fifo").c_str(), 0600) == 0);
  REQUIRE(symlink("nowhere", (dir + "/dangling").c_str()) == 0);
  for (const std::string& path :
       {dir + "/none", dir, dir + "/fifo", dir + "/dangling", std::string("/dev/null")}) {
    INFO(path);
    CHECK(status_of_opening(path) == "file-io");
  }
  CHECK_FALSE(fs::exists(dir + "/none"));
}

TEST_CASE("InPlaceFile: the first byte is remarked on until the commit") {
  const Scratch s("1234567890");
  {
    InPlaceFile file(s.path());
    file.begin_writing();
    CHECK_THAT(file.remark(), Catch::Contains("partly old and partly new"));
    CHECK_THROWS_AS(file.commit(3), Error);  // not cut yet
    CHECK_FALSE(file.remark().empty());
  }
  InPlaceFile file(s.path());
  const std::string text = "new";
  REQUIRE(pwrite_full(file.fd(), std::as_bytes(std::span(text)), 0) == 0);
  file.finish(3);
  file.commit(3);
  CHECK(file.remark().empty());
  CHECK(s.content() == "new");
}

TEST_CASE("InPlaceFile: a range becomes zeros and its neighbours stay") {
  const std::string old(200'000, 'x');
  const Scratch s(old);
  InPlaceFile file(s.path());
  file.zero(1, 4095);
  file.zero(65'537, 100'000);
  std::string expected = old;
  expected.replace(1, 4095, 4095, '\0');
  expected.replace(65'537, 100'000, 100'000, '\0');
  CHECK(s.content() == expected);
}

TEST_CASE("InPlaceFile: mode and time are those of the new content") {
  const Scratch s("12345");
  InPlaceFile file(s.path());
  const timespec time{1'000'000'000, 7};
  const mode_t mode = 0604;
  file.set_metadata(&mode, &time, caveats);
  struct stat st {};
  REQUIRE(stat(s.path().c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0604);
  CHECK(st.st_mtim.tv_sec == 1'000'000'000);
}

}  // namespace
}  // namespace zx
