// SPDX-License-Identifier: MIT
#include "zrecv/batch.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <map>

#include "common/base/error.h"
#include "common/file/held_dir.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// What the sinks of a test were asked to do, in order.
struct Diary {
  std::mutex mutex;
  std::vector<std::string> lines;
  void add(const std::string& line) {
    const std::lock_guard lock(mutex);
    lines.push_back(line);
  }
  std::string text() {
    const std::lock_guard lock(mutex);
    std::string out;
    for (const std::string& line : lines) out += (out.empty() ? "" : " ") + line;
    return out;
  }
};

class FakeSink final : public Sink {
 public:
  // fails_at: the step that does not succeed.
  FakeSink(std::string name, Diary& diary, const HeldDir* dir, std::string fails_at = "")
      : name_(std::move(name)), diary_(diary), dir_(dir), fails_at_(std::move(fails_at)) {}

  const std::string& name() const override { return name_; }
  std::string output_name() const override { return name_; }
  std::string describe() const override { return name_; }
  std::string look(const Negotiated&) override { return ""; }
  void open() override {}
  void finish(uint64_t) override {}
  int fd() const override { return -1; }
  void sync() override { step("sync"); }
  void close() override { step("close"); }
  void publish(uint64_t) override { step("publish"); }
  const HeldDir* directory() const override { return dir_; }

 private:
  void step(const std::string& what) {
    diary_.add(what + ":" + name_);
    if (what == fails_at_) throw Error(ExitStatus::NoSpace, name_ + ": " + what);
  }

  const std::string name_;
  Diary& diary_;
  const HeldDir* dir_;
  const std::string fails_at_;
};

class Fixture : public TempDir {
 public:
  Fixture() { dir_ = std::make_unique<HeldDir>(HeldDir::open_operator_path(path_)); }
  Verified entry(uint64_t id, uint64_t bytes, const std::string& fails_at = "") {
    Verified out;
    out.outcome.id = id;
    out.outcome.bytes = bytes;
    out.sink = std::make_unique<FakeSink>(std::to_string(id), diary, dir_.get(), fails_at);
    return out;
  }

  // Until so many outcomes are final.
  std::map<uint64_t, EntryOutcome> outcomes(Committer& committer, size_t count) {
    std::map<uint64_t, EntryOutcome> out;
    const auto end = std::chrono::steady_clock::now() + 20s;
    while (out.size() < count) {
      REQUIRE(std::chrono::steady_clock::now() < end);
      pollfd fd{event.fd(), POLLIN, 0};
      (void)poll(&fd, 1, 100);
      event.clear();
      for (EntryOutcome& outcome : committer.take()) out[outcome.id] = std::move(outcome);
    }
    return out;
  }

  Diary diary;
  WakeFd event;

 private:
  std::unique_ptr<HeldDir> dir_;
};

constexpr uint64_t kLarge = 2 << 20;

TEST_CASE("Committer: syncs, closes and names come in this order") {
  Fixture t;
  Committer committer(Durability::Batch, t.event);
  committer.add(t.entry(1, kLarge));
  committer.add(t.entry(2, 10));
  CHECK(t.diary.text().empty());
  committer.flush();
  const auto outcomes = t.outcomes(committer, 2);
  CHECK(t.diary.text() == "sync:1 sync:2 close:1 close:2 publish:1 publish:2");
  CHECK((outcomes.at(1).status == ExitStatus::Ok));
  CHECK((outcomes.at(2).status == ExitStatus::Ok));
}

TEST_CASE("Committer: without durability nothing is synced, and small files are closed at once") {
  Fixture t;
  Committer committer(Durability::None, t.event);
  committer.add(t.entry(1, 10));
  CHECK(t.diary.text() == "close:1");
  committer.add(t.entry(2, kLarge));
  committer.flush();
  t.outcomes(committer, 2);
  CHECK(t.diary.text().find("sync") == std::string::npos);
}

TEST_CASE("Committer: many small files are synced by their file system") {
  Fixture t;
  Committer committer(Durability::Batch, t.event);
  for (uint64_t id = 1; id <= 40; ++id) committer.add(t.entry(id, 10));
  committer.add(t.entry(41, kLarge));
  committer.flush();
  const auto outcomes = t.outcomes(committer, 41);
  for (const auto& [id, outcome] : outcomes) CHECK((outcome.status == ExitStatus::Ok));
  const std::string text = t.diary.text();
  CHECK(text.find("sync:41") != std::string::npos);
  CHECK(text.find("sync:1 ") == std::string::npos);
  CHECK(text.find("close:40") < text.find("sync:41"));  // before the batch began
}

TEST_CASE("Committer: what fails at any step gets no name, and the others do") {
  for (const std::string step : {"sync", "close", "publish"}) {
    INFO(step);
    Fixture t;
    Committer committer(Durability::Batch, t.event);
    committer.add(t.entry(1, kLarge));
    committer.add(t.entry(2, kLarge, step));
    committer.add(t.entry(3, kLarge));
    committer.flush();
    const auto outcomes = t.outcomes(committer, 3);
    CHECK((outcomes.at(1).status == ExitStatus::Ok));
    CHECK((outcomes.at(2).status == ExitStatus::NoSpace));
    CHECK(outcomes.at(2).reason == "2: " + step);
    CHECK((outcomes.at(3).status == ExitStatus::Ok));
    CHECK((t.diary.text().find("publish:2") != std::string::npos) == (step == "publish"));
    CHECK(committer.is_idle());
  }
}

TEST_CASE("Committer: a batch is committed when it is of age, or each file alone") {
  Fixture t;
  Committer batches(Durability::Batch, t.event);
  batches.add(t.entry(1, 10));
  CHECK_FALSE(batches.is_idle());
  t.outcomes(batches, 1);
  CHECK(batches.is_idle());
  Committer files(Durability::File, t.event);
  const auto begin = std::chrono::steady_clock::now();
  files.add(t.entry(2, 10));
  t.outcomes(files, 1);
  CHECK(std::chrono::steady_clock::now() - begin < kBatchAge);
}

TEST_CASE("Committer: stopped before its time it makes no name") {
  Fixture t;
  {
    Committer committer(Durability::Batch, t.event);
    committer.add(t.entry(1, 10));
  }
  CHECK(t.diary.text().empty());
}

}  // namespace
}  // namespace zx
