// SPDX-License-Identifier: MIT
// The facts behind the policy's choice, and what the report says of several engines.
#include "common/engine/engine_set.h"

#include <fcntl.h>
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "common/base/memory.h"
#include "common/file/direct_file.h"
#include "common/file/residency.h"
#include "tests/unit/engine_fixture.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

namespace fs = std::filesystem;

// A folder that looks like the root of a system, gone with this object.
class FakeRoot : public TempDir {
 public:
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(at(path.substr(1))).parent_path());
    std::ofstream(at(path.substr(1))) << text;
  }
};

// --- memory

TEST_CASE("available_memory: MemAvailable, or what a control group leaves when that is less") {
  const FakeRoot root;
  CHECK(available_memory(root.path()) == 0);
  root.write("/proc/meminfo", "MemTotal:  9000 kB\nMemFree: 1 kB\nMemAvailable:   8000 kB\n");
  CHECK(available_memory(root.path()) == 8000 * 1024);
  root.write("/proc/self/cgroup", "4:memory:/old\n0::/a/b\n");
  CHECK(available_memory(root.path()) == 8000 * 1024);
  root.write("/sys/fs/cgroup/a/b/memory.max", "max\n");
  root.write("/sys/fs/cgroup/a/b/memory.current", "5000000\n");
  CHECK(available_memory(root.path()) == 8000 * 1024);
  // A group above has a limit.
  root.write("/sys/fs/cgroup/a/memory.max", "6000000\n");
  root.write("/sys/fs/cgroup/a/memory.current", "5500000\n");
  CHECK(available_memory(root.path()) == 500000);
  // Its unused cache could be had.
  root.write("/sys/fs/cgroup/a/memory.stat", "anon 1\nfile 9\ninactive_file 200000\n");
  CHECK(available_memory(root.path()) == 700000);
  root.write("/sys/fs/cgroup/a/b/memory.max", "5000001\n");
  CHECK(available_memory(root.path()) == 1);
  // Over its limit: nothing is left, which is not the same as not known.
  root.write("/sys/fs/cgroup/a/b/memory.max", "4000000\n");
  CHECK(available_memory(root.path()) == 1);
}

TEST_CASE("available_memory: this machine has some") {
  CHECK(available_memory() > 1 << 20);
}

// --- the page cache

TEST_CASE("resident_bytes: what was written is there, and gone after it was dropped") {
  constexpr size_t kSize = 4 << 20;
  const Scratch file(pattern(kSize));
  const auto hot = resident_bytes(file.fd(), kSize);
  REQUIRE(hot);
  CHECK(*hot == kSize);
  CHECK(resident_bytes(file.fd(), 0) == 0U);
  REQUIRE(fsync(file.fd()) == 0);
  REQUIRE(posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED) == 0);
  if (lives_in_memory(file.fd())) return;
  CHECK(*resident_bytes(file.fd(), kSize) < kSize / 10);
}

TEST_CASE("pread_full, pwrite_full: uncached they have the same bytes and errors") {
  const Buffer data = pattern(300001);
  const Scratch file;
  CHECK(pwrite_full(file.fd(), data, 5, true) == 0);
  Buffer back(data.size() + 100);
  CHECK(pread_full(file.fd(), back, 5, true) == static_cast<ssize_t>(data.size()));
  back.resize(data.size());
  CHECK((back == data));
  CHECK(pread_full(file.fd(), back, 1 << 20, true) == 0);
  CHECK(pread_full(-1, back, 0, true) == -EBADF);
  CHECK(pwrite_full(-1, data, 0, true) == -EBADF);
  const UniqueFd full(open("/dev/full", O_RDWR | O_CLOEXEC));
  CHECK(pwrite_full(full.get(), data, 0, true) == -ENOSPC);
  const UniqueFd zero(open("/dev/zero", O_RDONLY | O_CLOEXEC));
  CHECK(pread_full(zero.get(), back, 0, true) == static_cast<ssize_t>(back.size()));
}

TEST_CASE("open_direct: the same file under another descriptor, or an error") {
  const Scratch file(pattern(8192));
  const std::string moved = file.path() + ".moved";
  fs::rename(file.path(), moved);
  Scratch other(Buffer(1));
  fs::rename(other.path(), file.path());  // another file has the name now
  const DirectFile direct = open_direct(file.fd(), DirectAccess::Read);
  fs::rename(file.path(), other.path());
  fs::rename(moved, file.path());
  if (direct.error == 0) {
    struct stat mine {
    }, theirs{};
    REQUIRE(fstat(file.fd(), &mine) == 0);
    REQUIRE(fstat(direct.fd.get(), &theirs) == 0);
    CHECK(mine.st_ino == theirs.st_ino);
    CHECK((fcntl(direct.fd.get(), F_GETFL) & O_DIRECT) != 0);
    CHECK((fcntl(direct.fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
    CHECK(direct.align >= 512);
  }
  CHECK(open_direct(-1, DirectAccess::Read).error == ENOENT);
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  CHECK(open_direct(null.get(), DirectAccess::Write).error == EINVAL);
}

TEST_CASE("SourceFile: every one has another serial") {
  const Scratch file(pattern(10));
  const SourceFile a(file.path()), b(file.path());
  CHECK(a.serial() != b.serial());
  CHECK(b.serial() > 0);
}

// --- the set

TEST_CASE("report_of: names once each, reasons told apart when there are several engines") {
  CHECK(report_of({}, "none").engine.empty());
  const PathReport one = report_of({{Engine::Sendfile, {""}}}, "ktls");
  CHECK(one.engine == "sendfile");
  CHECK(one.tls == "ktls");
  CHECK(one.why.empty());
  CHECK(report_of({{Engine::Direct, {"cold", "large"}}}, "none").why == "cold; large");
  const PathReport two =
      report_of({{Engine::Sendfile, {""}}, {Engine::Direct, {"cold", "large"}}}, "none");
  CHECK(two.engine == "sendfile,direct");
  CHECK(two.why == "direct: cold; large");
  const PathReport all = report_of({{Engine::Sendfile, {""}},
                                    {Engine::Splice, {""}},
                                    {Engine::Mmap, {""}},
                                    {Engine::ReadWrite, {""}},
                                    {Engine::Direct, {""}}},
                                   "none");
  CHECK(all.engine.size() <= kMaxEngineBytes);
}

TEST_CASE("SendEngines: an engine is made once, and the report has those that were picked") {
  const Connection c = connect_here();
  SendEngines engines(*c.sender, {});
  BlockSender& first = engines.pick({});
  CHECK((first.engine() == Engine::Sendfile));
  CHECK(&engines.pick({}) == &first);
  SourceFacts cold;
  cold.size = kColdDirectBytes;
  cold.resident_bytes = 0;
  CHECK((engines.pick(cold).engine() == Engine::Direct));
  CHECK(&engines.pick({}) == &first);
  CHECK(engines.report().engine == "sendfile,direct");
  CHECK_THAT(engines.report().why, Catch::StartsWith("direct: "));
}

TEST_CASE(
    "SendEngines: another channel means other engines; what was used before is not forgotten") {
  const Connection c = connect_here();
  SendEngines engines(*c.sender, {});
  (void)engines.pick({});
  HiddenChannel hidden(*c.sender);
  engines.use(hidden);
  CHECK((engines.pick({}).engine() == Engine::ReadWrite));
  CHECK(engines.report().engine == "sendfile,readwrite");
}

TEST_CASE("SendEngines, RecvEngines: without a file the report says what would have been used") {
  const Connection c = connect_here();
  CHECK(SendEngines(*c.sender, {}).report().engine == "sendfile");
  CHECK(RecvEngines(*c.receiver, {}).report().engine == "splice");
  CHECK(SendEngines(*c.sender, {Engine::Mmap, 0}).report().engine == "mmap");
}

TEST_CASE("RecvEngines: as the senders', and a pipe for each channel") {
  const Connection c = connect_here();
  RecvEngines engines(*c.receiver, {});
  BlockReceiver& first = engines.pick({});
  CHECK((first.engine() == Engine::Splice));
  CHECK(&engines.pick({}) == &first);
  SinkFacts large;
  large.size = kSyncedDirectBytes;
  large.synced = true;
  CHECK((engines.pick(large).engine() == Engine::Direct));
  engines.use(*c.receiver);
  CHECK((engines.pick({}).engine() == Engine::Splice));
  CHECK(engines.report().engine == "splice,direct");
}

TEST_CASE("engine sets: facts of a small file cost nothing, those of a larger one are true") {
  const Connection c = connect_here();
  const SendEngines senders(*c.sender, {});
  const Scratch small(pattern(1000));
  const SourceFacts few = senders.look_at(SourceFile(small.path()));
  CHECK(few.size == 1000);
  CHECK_FALSE(few.resident_bytes);
  CHECK(few.available_memory == 0);

  const Scratch large(pattern(kSmallestDirectBytes));
  const SourceFacts facts = senders.look_at(SourceFile(large.path()));
  CHECK(facts.resident_bytes == kSmallestDirectBytes);
  CHECK(facts.available_memory > 0);
  CHECK(facts.direct_error == open_direct(large.fd(), DirectAccess::Read).error);

  const RecvEngines receivers(*c.receiver, {});
  const SinkFacts sink = receivers.look_at(large.fd(), kSmallestDirectBytes, true);
  CHECK(sink.synced);
  CHECK(sink.available_memory > 0);
  CHECK(sink.in_memory == lives_in_memory(large.fd()));
  // Asked for by name: then even a small one must tell whether O_DIRECT is possible.
  const RecvEngines asked(*c.receiver, {Engine::Direct, 0});
  const UniqueFd null(open("/dev/null", O_WRONLY | O_CLOEXEC));
  CHECK(asked.look_at(null.get(), 10, true).direct_error == EINVAL);
}

}  // namespace
}  // namespace zx
