// SPDX-License-Identifier: MIT
#include "zrecv/open_directories.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/unit/outcome.h"

namespace zx {
namespace {

class NoSink final : public Sink {
 public:
  const std::string& name() const override { return name_; }
  std::string output_name() const override { return ""; }
  std::string describe() const override { return ""; }
  std::string look(const Negotiated&) override { return ""; }
  void open() override {}
  void finish(uint64_t) override {}
  int fd() const override { return -1; }
  void publish(uint64_t) override {}

 private:
  std::string name_;
};

Verified directory(uint64_t id) {
  Verified out{{}, std::make_unique<NoSink>()};
  out.outcome.id = id;
  return out;
}

std::string ids(const std::vector<Verified>& complete) {
  std::string out;
  for (const Verified& one : complete) out += std::to_string(one.outcome.id) + " ";
  return out;
}

}  // namespace

TEST_CASE("OpenDirectories: one is complete when its END has come and all in it is done") {
  OpenDirectories tree;
  tree.begin(1);
  tree.enter(1, directory(1));
  tree.begin(2);  // a file
  tree.begin(3);
  tree.enter(3, directory(3));
  tree.begin(4);  // a file in 3
  CHECK(tree.depth() == 2);
  CHECK(tree.is_open(1));
  tree.end(3);
  CHECK(ids(tree.done(3)).empty());  // 4 is not done
  CHECK_FALSE(tree.is_open(3));
  tree.end(1);
  CHECK(ids(tree.done(1)).empty());
  CHECK(ids(tree.done(2)).empty());
  CHECK(ids(tree.done(4)) == "3 1 ");
  CHECK(tree.depth() == 0);
}

TEST_CASE("OpenDirectories: an empty one is complete at its END") {
  OpenDirectories tree;
  tree.begin(1);
  tree.enter(1, directory(1));
  tree.end(1);
  CHECK(ids(tree.done(1)) == "1 ");
}

TEST_CASE(
    "OpenDirectories: one that could not be made comes out with nothing, those around it do") {
  OpenDirectories tree;
  tree.begin(1);
  tree.enter(1, directory(1));
  tree.begin(2);
  tree.enter(2, {{}, nullptr});
  tree.begin(3);
  CHECK(ids(tree.done(3)).empty());
  tree.end(2);
  CHECK(ids(tree.done(2)).empty());
  tree.end(1);
  CHECK(ids(tree.done(1)) == "1 ");
}

TEST_CASE("OpenDirectories: only the innermost ends") {
  OpenDirectories tree;
  tree.begin(1);
  tree.enter(1, directory(1));
  tree.begin(2);
  tree.enter(2, directory(2));
  CHECK(outcome([&] { tree.end(1); }) == "protocol");
  CHECK(outcome([&] { tree.end(7); }) == "protocol");
}

TEST_CASE("OpenDirectories: what is in no directory completes none") {
  OpenDirectories tree;
  tree.begin(1);
  CHECK(tree.done(1).empty());
}

}  // namespace zx
