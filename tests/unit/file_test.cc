// SPDX-License-Identifier: MIT
// common/file: names, held directories, temporary files, source files.
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/file/held_dir.h"
#include "common/file/name.h"
#include "common/file/source_file.h"
#include "common/file/temp_file.h"
#include "tests/unit/outcome.h"
#include "tests/unit/temp_dir.h"

namespace zx {
namespace {

Caveats caveats;  // of calls that must have none

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

class TestDir : public TempDir {
 public:
  using TempDir::TempDir;
  HeldDir held() const { return HeldDir::open_operator_path(path()); }
  void write(const std::string& name, const std::string& content) const {
    std::ofstream out(path_ / name, std::ios::binary);
    out << content;
    REQUIRE(out.flush().good());
  }
  std::string read(const std::string& name) const {
    std::ifstream in(path_ / name, std::ios::binary);
    std::stringstream out;
    out << in.rdbuf();
    return out.str();
  }
  Names names() const {
    Names out;
    for (const auto& entry : fs::directory_iterator(path_))
      out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }
};

void fill(const TempFile& file, const std::string& content) {
  REQUIRE(pwrite_full(file.fd(), std::as_bytes(std::span(content)), 0) == 0);
}

// --- names

// commit() with the size that the file has.
static bool commit_whole(TempFile& file, Replace replace) {
  struct stat st {};
  REQUIRE(fstat(file.fd(), &st) == 0);
  return file.commit(replace, static_cast<uint64_t>(st.st_size));
}

TEST_CASE("check_component: good names") {
  for (const std::string& name :
       {std::string("a"), std::string("..."), std::string("..a"), std::string("a.."),
        std::string(".hidden"), std::string("-rf"), std::string("a b"), std::string("new\nline"),
        std::string("\x1b[2J"), std::string("\xff\xfe"), std::string("\\"), std::string("C:"),
        std::string(255, 'x'), std::string(".zrecv"), std::string("x.zrecv-")}) {
    INFO(name);
    CHECK(outcome([&] { check_component(name); }) == "no error");
  }
}

TEST_CASE("check_component: names that are refused") {
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("/"), std::string("a/b"),
        std::string("/etc"), std::string("a/"), std::string("../x"), std::string("a\0b", 3),
        std::string(1, '\0'), std::string(256, 'x'), std::string(".zrecv-"),
        std::string(".zrecv-0123456789abcdef")}) {
    INFO(name);
    CHECK(outcome([&] { check_component(name); }) == "refused");
  }
}

TEST_CASE("check_component: the message shows no raw control") {
  CHECK_THROWS_WITH(check_component("\x1b[2J/"),
                    Catch::Contains("\\x1b") && !Catch::Contains("\x1b"));
}

TEST_CASE("check_path: every component counts and an empty path is refused") {
  CHECK(outcome([] { check_path({"a"}); }) == "no error");
  CHECK(outcome([] { check_path({"a", "b", "c"}); }) == "no error");
  CHECK(outcome([] { check_path({}); }) == "refused");
  CHECK(outcome([] { check_path({"a", "..", "c"}); }) == "refused");
  CHECK(outcome([] { check_path({"a", "b", ""}); }) == "refused");
}

TEST_CASE("join_path and base_name") {
  CHECK(join_path({"a"}) == "a");
  CHECK(join_path({"a", "b", "c"}) == "a/b/c");
  CHECK(base_name("x") == "x");
  CHECK(base_name("dir/x") == "x");
  CHECK(base_name("dir/x/") == "x");
  CHECK(base_name("dir/x///") == "x");
  CHECK(base_name("/x") == "x");
  CHECK(base_name("..") == "..");
  CHECK(base_name("/").empty());
  CHECK(base_name("").empty());
}

// --- HeldDir

TEST_CASE("HeldDir: the operator's own symbolic link is followed") {
  const TestDir t;
  REQUIRE(mkdir(t.at("real").c_str(), 0700) == 0);
  REQUIRE(symlink("real", t.at("link").c_str()) == 0);
  CHECK(outcome([&] { HeldDir::open_operator_path(t.at("link")); }) == "no error");
  CHECK(outcome([&] { HeldDir::open_operator_path(t.at("none")); }) == "file-io");
  t.write("file", "");
  CHECK(outcome([&] { HeldDir::open_operator_path(t.at("file")); }) == "file-io");
}

TEST_CASE("HeldDir: a child is opened only when it is a directory itself") {
  const TestDir t;
  REQUIRE(mkdir(t.at("sub").c_str(), 0700) == 0);
  t.write("file", "");
  REQUIRE(symlink("sub", t.at("link_to_dir").c_str()) == 0);
  REQUIRE(symlink("/", t.at("link_to_root").c_str()) == 0);
  REQUIRE(symlink("link_to_loop", t.at("link_to_loop").c_str()) == 0);
  const HeldDir dir = t.held();
  REQUIRE(dir.open_child("sub"));
  for (const char* name : {"none", "file", "link_to_dir", "link_to_root", "link_to_loop"}) {
    INFO(name);
    CHECK_FALSE(dir.open_child(name));
  }
}

TEST_CASE("HeldDir: unsafe names are refused before any system call") {
  const TestDir t;
  const HeldDir dir = t.held();
  for (const char* name : {"", ".", "..", "a/b", "/etc", ".zrecv-1"}) {
    INFO(name);
    CHECK(outcome([&] { dir.open_child(name); }) == "refused");
    CHECK(outcome([&] { dir.stat_child(name); }) == "refused");
  }
}

TEST_CASE("HeldDir: stat of a child does not follow a symbolic link") {
  const TestDir t;
  t.write("file", "12345");
  REQUIRE(symlink("file", t.at("link").c_str()) == 0);
  REQUIRE(symlink("nowhere", t.at("dangling").c_str()) == 0);
  const HeldDir dir = t.held();
  REQUIRE(dir.stat_child("file"));
  CHECK(dir.stat_child("file")->st_size == 5);
  REQUIRE(dir.stat_child("link"));
  CHECK(S_ISLNK(dir.stat_child("link")->st_mode));
  REQUIRE(dir.stat_child("dangling"));
  CHECK(S_ISLNK(dir.stat_child("dangling")->st_mode));
  CHECK_FALSE(dir.stat_child("none"));
}

TEST_CASE("HeldDir: a directory that is swapped for a link stays the held one") {
  const TestDir t;
  REQUIRE(mkdir(t.at("sub").c_str(), 0700) == 0);
  REQUIRE(mkdir(t.at("outside").c_str(), 0700) == 0);
  const HeldDir dir = t.held();
  const auto sub = dir.open_child("sub");
  REQUIRE(sub);
  REQUIRE(rename(t.at("sub").c_str(), t.at("moved").c_str()) == 0);
  REQUIRE(symlink("outside", t.at("sub").c_str()) == 0);
  TempFile file(*sub, "x");
  CHECK(commit_whole(file, Replace::Yes));
  CHECK(fs::exists(t.at("moved/x")));
  CHECK_FALSE(fs::exists(t.at("outside/x")));
}

TEST_CASE("HeldDir: sync and description") {
  const TestDir t;
  const HeldDir dir = t.held();
  CHECK(outcome([&] { dir.sync(caveats); }) == "no error");
  CHECK(dir.describe("a\nb") == "'" + t.path() + "/a\\nb'");
  CHECK(HeldDir::open_operator_path(".").describe("a") == "'a'");
  CHECK(HeldDir::open_operator_path("/").describe("a") == "'/a'");
}

// --- TempFile

TEST_CASE("TempFile: private and beside the final name whatever the umask") {
  const TestDir t;
  const HeldDir dir = t.held();
  const mode_t old = umask(0);
  const TempFile file(dir, "final");
  umask(old);
  struct stat st {};
  REQUIRE(fstat(file.fd(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0600);
  CHECK(S_ISREG(st.st_mode));
  const Names names = t.names();
  REQUIRE(names.size() == 1);
  CHECK(names[0].starts_with(".zrecv-"));
  CHECK((fcntl(file.fd(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("TempFile: destroyed without commit leaves no file") {
  const TestDir t;
  const HeldDir dir = t.held();
  {
    TempFile file(dir, "final");
    fill(file, "data");
    CHECK(t.names().size() == 1);
  }
  CHECK(t.names().empty());
}

TEST_CASE("TempFile: what somebody else has cut or replaced is not committed") {
  const TestDir t;
  const HeldDir dir = t.held();
  TempFile cut(dir, "cut");
  fill(cut, "data");
  CHECK(outcome([&] { (void)cut.commit(Replace::Yes, 5); }) == "file-io");
  TempFile replaced(dir, "replaced");
  fill(replaced, "data");
  for (const std::string& name : t.names())
    t.write(name, "evil");  // same inode, same size: not seen
  for (const std::string& name : t.names()) fs::remove(t.at(name));
  CHECK(outcome([&] { (void)replaced.commit(Replace::Yes, 4); }) == "file-io");
  CHECK(t.names().empty());
}

TEST_CASE("TempFile: two for one name do not meet") {
  const TestDir t;
  const HeldDir dir = t.held();
  const TempFile first(dir, "final"), second(dir, "final");
  CHECK(t.names().size() == 2);
}

TEST_CASE("TempFile: commit gives the final name and nothing else stays") {
  for (Replace replace : {Replace::No, Replace::Nothing, Replace::Yes}) {
    const TestDir t;
    const HeldDir dir = t.held();
    {
      TempFile file(dir, "final");
      fill(file, "data");
      CHECK_FALSE(fs::exists(t.at("final")));
      commit_whole(file, replace);
      CHECK(t.names() == Names{"final"});
    }
    CHECK(t.names() == Names{"final"});
    CHECK(t.read("final") == "data");
  }
}

TEST_CASE("TempFile: commit with replace takes the place of the old content") {
  const TestDir t;
  t.write("final", "old");
  const HeldDir dir = t.held();
  TempFile file(dir, "final");
  fill(file, "new");
  CHECK(t.read("final") == "old");
  CHECK(commit_whole(file, Replace::Yes));
  CHECK(t.read("final") == "new");
}

TEST_CASE("TempFile: commit without replace refuses and keeps the old content") {
  const TestDir t;
  t.write("final", "old");
  const HeldDir dir = t.held();
  for (Replace replace : {Replace::No, Replace::Nothing}) {
    TempFile file(dir, "final");
    fill(file, "new");
    CHECK_FALSE(commit_whole(file, replace));
  }
  CHECK(t.read("final") == "old");
  CHECK(t.names() == Names{"final"});
}

TEST_CASE("TempFile: commit replaces a symbolic link and not what it points to") {
  const TestDir t;
  t.write("target", "old");
  REQUIRE(symlink("target", t.at("final").c_str()) == 0);
  const HeldDir dir = t.held();
  for (Replace replace : {Replace::No, Replace::Nothing}) {
    TempFile file(dir, "final");
    CHECK_FALSE(commit_whole(file, replace));
  }
  TempFile file(dir, "final");
  fill(file, "new");
  CHECK(commit_whole(file, Replace::Yes));
  CHECK(t.read("target") == "old");
  CHECK_FALSE(fs::is_symlink(t.at("final")));
  CHECK(t.read("final") == "new");
}

TEST_CASE("TempFile: commit over a directory is an error and leaves no file") {
  const TestDir t;
  REQUIRE(mkdir(t.at("final").c_str(), 0700) == 0);
  const HeldDir dir = t.held();
  {
    TempFile file(dir, "final");
    CHECK(outcome([&] { (void)commit_whole(file, Replace::Yes); }) == "file-io");
  }
  CHECK(t.names() == Names{"final"});
  CHECK(fs::is_directory(t.at("final")));
}

TEST_CASE("TempFile: preallocate reserves blocks and truncate sets the length") {
  const TestDir t;
  const HeldDir dir = t.held();
  TempFile file(dir, "final");
  CHECK(outcome([&] { file.preallocate(0); }) == "no error");
  constexpr uint64_t kSize = 3 << 20;
  file.preallocate(kSize);
  struct stat st {};
  REQUIRE(fstat(file.fd(), &st) == 0);
  if (st.st_blocks == 0)
    WARN("this file system does not preallocate");
  else
    CHECK(static_cast<uint64_t>(st.st_blocks) * 512 >= kSize);
  file.truncate(12345);
  REQUIRE(fstat(file.fd(), &st) == 0);
  CHECK(st.st_size == 12345);
}

TEST_CASE("TempFile: preallocate past the largest file is refused") {
  // The limit of this process stands in for the one of a file system: none is filled by it.
  struct rlimit old {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const TestDir t;
  const HeldDir dir = t.held();
  TempFile file(dir, "final");
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small { 1 << 20, old.rlim_max };
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const std::string got = outcome([&] { file.preallocate(2 << 20); });
  REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
  std::signal(SIGXFSZ, old_handler);
  CHECK(got == "refused");
}

TEST_CASE("TempFile: preallocate of more than there is finds the disk full") {
  // Only on a tmpfs with a limit: it refuses at once. Others would take all they have first.
  struct statfs info {};
  if (statfs("/dev/shm", &info) != 0 || info.f_type != TMPFS_MAGIC || info.f_blocks == 0 ||
      access("/dev/shm", W_OK) != 0) {
    WARN("needs a limited tmpfs at /dev/shm");
    return;
  }
  const TestDir t("/dev/shm");
  const HeldDir dir = t.held();
  TempFile file(dir, "final");
  const uint64_t more =
      (static_cast<uint64_t>(info.f_blocks) + 1) * static_cast<uint64_t>(info.f_bsize);
  CHECK(outcome([&] { file.preallocate(more); }) == "no-space");
}

TEST_CASE("TempFile: mode and times are set on the final file") {
  const TestDir t;
  const HeldDir dir = t.held();
  TempFile file(dir, "final");
  const timespec mtime{1234567890, 123456789};
  file.set_metadata(0751, &mtime, caveats);
  CHECK(outcome([&] { file.sync(caveats); }) == "no error");
  CHECK(commit_whole(file, Replace::No));
  struct stat st {};
  REQUIRE(stat(t.at("final").c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0751);
  CHECK(st.st_mtim.tv_sec == 1234567890);
  CHECK(st.st_mtim.tv_nsec == 123456789);
}

TEST_CASE("TempFile: without a time the modification time is now") {
  const TestDir t;
  const HeldDir dir = t.held();
  TempFile file(dir, "final");
  const time_t before = time(nullptr);
  fill(file, "x");
  file.set_metadata(0600, nullptr, caveats);
  struct stat st {};
  REQUIRE(fstat(file.fd(), &st) == 0);
  CHECK(st.st_mtim.tv_sec >= before - 1);  // file times are of the last tick
}

TEST_CASE("TempFile: in a directory that is gone there is none") {
  const TestDir t;
  REQUIRE(mkdir(t.at("sub").c_str(), 0700) == 0);
  const HeldDir dir = HeldDir::open_operator_path(t.at("sub"));
  REQUIRE(rmdir(t.at("sub").c_str()) == 0);
  CHECK(outcome([&] { TempFile(dir, "final"); }) == "file-io");
}

// --- SourceFile

TEST_CASE("SourceFile: a regular file is opened with its size") {
  const TestDir t;
  t.write("file", "12345");
  const SourceFile file(t.at("file"));
  CHECK(file.size() == 5);
  CHECK(file.path() == t.at("file"));
  CHECK(file.change() == Change::None);
  CHECK_FALSE(file.sparse());
  CHECK((fcntl(file.fd(), F_GETFL) & O_NONBLOCK) == 0);
}

TEST_CASE("SourceFile: the operator's symbolic link is followed") {
  const TestDir t;
  t.write("file", "12345");
  REQUIRE(symlink("file", t.at("link").c_str()) == 0);
  CHECK(SourceFile(t.at("link")).size() == 5);
}

TEST_CASE(
    "SourceFile: what is neither a regular file nor a block device is refused without waiting") {
  const TestDir t;
  REQUIRE(mkfifo(t.at("fifo").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(SourceFile(t.at("fifo")), Catch::Contains("neither a regular file"));
  CHECK_THROWS_WITH(SourceFile(t.path()), Catch::Contains("is a directory"));
  CHECK_THROWS_WITH(SourceFile("/dev/null"), Catch::Contains("neither a regular file"));
  for (const std::string& path : {t.at("fifo"), t.path(), std::string("/dev/null"), t.at("none")}) {
    INFO(path);
    CHECK(outcome([&] { SourceFile file(path); }) == "file-io");
  }
}

TEST_CASE("SourceFile: changed when it grows or shrinks") {
  const TestDir t;
  t.write("file", "12345");
  const SourceFile file(t.at("file"));
  SECTION("longer") {
    t.write("file", "123456");
  }
  SECTION("shorter") {
    REQUIRE(truncate(t.at("file").c_str(), 2) == 0);
  }
  CHECK(file.change() == Change::Content);
  CHECK(file.size() == 5);  // what it was
}

TEST_CASE("SourceFile: changed when only a time differs") {
  const TestDir t;
  t.write("file", "12345");
  const SourceFile file(t.at("file"));
  CHECK(file.change() == Change::None);
  SECTION("mtime") {
    const timespec times[2] = {{0, UTIME_OMIT}, {1000, 0}};
    REQUIRE(utimensat(AT_FDCWD, t.at("file").c_str(), times, 0) == 0);
    CHECK(file.change() == Change::Content);
  }
  SECTION("ctime with the mtime put back") {
    // Times are of the last tick of the clock: repeated until the tick is another one.
    const timespec times[2] = {{0, UTIME_OMIT}, file.stat_at_open().st_mtim};
    bool changed = false;
    for (int i = 0; i < 1'000'000 && !changed; ++i) {
      REQUIRE(utimensat(AT_FDCWD, t.at("file").c_str(), times, 0) == 0);
      changed = file.change() == Change::Inode;
    }
    CHECK(changed);
  }
}

TEST_CASE("SourceFile: what changes the inode only is told apart from the content") {
  const TestDir t;
  t.write("file", "12345");
  const SourceFile file(t.at("file"));
  // Times are of the last tick of the clock: repeated until the tick is another one.
  for (int i = 0; i < 1'000'000 && file.change() == Change::None; ++i) {
    REQUIRE(link(t.at("file").c_str(), t.at("other").c_str()) == 0);
    REQUIRE(unlink(t.at("other").c_str()) == 0);
  }
  CHECK(file.change() == Change::Inode);
  t.write("file", "54321");
  CHECK(file.change() == Change::Content);
}

TEST_CASE("SourceFile: one of /sys has the size of what it gives") {
  const std::string path = "/sys/kernel/mm/transparent_hugepage/enabled";
  if (access(path.c_str(), R_OK) != 0) return;  // a kernel without
  std::ifstream in(path);
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  const SourceFile file(path);
  CHECK(file.size() == content.size());
  CHECK(file.change() == Change::None);
}

TEST_CASE("SourceFile: one that another process has a lease on is told apart") {
  const TestDir t;
  t.write("file", "12345");
  const UniqueFd holder(open(t.at("file").c_str(), O_RDWR | O_CLOEXEC));
  struct sigaction ignore {
  }, before{};
  ignore.sa_handler = SIG_IGN;
  REQUIRE(sigaction(SIGIO, &ignore, &before) == 0);
  if (fcntl(holder.get(), F_SETLEASE, F_WRLCK) == 0)
    CHECK_THROWS_AS(SourceFile(t.at("file")), LeasedFile);
  (void)fcntl(holder.get(), F_SETLEASE, F_UNLCK);
  (void)sigaction(SIGIO, &before, nullptr);
  CHECK(SourceFile(t.at("file")).size() == 5);
}

TEST_CASE("SourceFile: reading is no change") {
  const TestDir t;
  t.write("file", "12345");
  const SourceFile file(t.at("file"));
  char buffer[5];
  REQUIRE(pread(file.fd(), buffer, sizeof buffer, 0) == 5);
  CHECK(t.read("file") == "12345");
  CHECK(file.change() == Change::None);
}

std::vector<Extent> extents_of(const SourceFile& file) {
  std::vector<Extent> out;
  for (uint64_t at = 0; at < file.size();) {
    const Extent e = file.extent_at(at, file.size());
    REQUIRE(e.offset == at);
    REQUIRE(e.length > 0);
    REQUIRE(e.length <= file.size() - at);
    out.push_back(e);
    at += e.length;
  }
  return out;
}

constexpr uint64_t kMiB = 1 << 20;

// Makes a file of `size` with 64 KiB of data at each offset; false where holes are not kept.
bool make_sparse(const std::string& path, uint64_t size, const std::vector<uint64_t>& data_at,
                 size_t data_bytes = 64 << 10) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  REQUIRE(fd.valid());
  REQUIRE(ftruncate(fd.get(), to_off(size)) == 0);
  const std::string data(data_bytes, 'd');
  for (uint64_t at : data_at)
    REQUIRE(pwrite_full(fd.get(), std::as_bytes(std::span(data)), at) == 0);
  return lseek(fd.get(), 0, SEEK_HOLE) < to_off(size);
}

TEST_CASE("SourceFile: extents of a sparse file are its holes and its data") {
  const TestDir t;
  if (!make_sparse(t.at("file"), 4 * kMiB, {kMiB, 3 * kMiB})) {
    WARN("this file system keeps no holes");
    return;
  }
  const SourceFile file(t.at("file"));
  CHECK(file.sparse());
  const auto extents = extents_of(file);
  REQUIRE(extents.size() == 5);
  constexpr uint64_t kData = 64 << 10;
  const Extent expected[] = {{0, kMiB, true},
                             {kMiB, kData, false},
                             {kMiB + kData, 2 * kMiB - kData, true},
                             {3 * kMiB, kData, false},
                             {3 * kMiB + kData, kMiB - kData, true}};
  for (size_t i = 0; i < extents.size(); ++i) {
    INFO(i);
    CHECK(extents[i].offset == expected[i].offset);
    CHECK(extents[i].length == expected[i].length);
    CHECK(extents[i].hole == expected[i].hole);
  }
}

TEST_CASE("SourceFile: extents end where they are told to end") {
  const TestDir t;
  if (!make_sparse(t.at("file"), 4 * kMiB, {kMiB})) {
    WARN("this file system keeps no holes");
    return;
  }
  const SourceFile file(t.at("file"));
  const Extent hole = file.extent_at(1000, 1000 + 64 * 1024);
  CHECK((hole.offset == 1000 && hole.length == 64 * 1024 && hole.hole));
  const Extent data = file.extent_at(kMiB + 10, kMiB + 20);
  CHECK((data.offset == kMiB + 10 && data.length == 10 && !data.hole));
  const Extent tail = file.extent_at(3 * kMiB, 4 * kMiB);
  CHECK((tail.offset == 3 * kMiB && tail.length == kMiB && tail.hole));
}

TEST_CASE("SourceFile: a file that is one hole is one extent") {
  const TestDir t;
  if (!make_sparse(t.at("file"), 4 * kMiB, {})) {
    WARN("this file system keeps no holes");
    return;
  }
  const auto extents = extents_of(SourceFile(t.at("file")));
  REQUIRE(extents.size() == 1);
  CHECK(extents[0].hole);
}

TEST_CASE("SourceFile: holes shorter than 64 KiB count as data") {
  const TestDir t;
  std::vector<uint64_t> data_at;
  for (uint64_t at = 0; at < kMiB; at += 64 << 10) data_at.push_back(at);
  if (!make_sparse(t.at("file"), kMiB, data_at, 8 << 10)) {
    WARN("this file system keeps no holes");
    return;
  }
  const SourceFile file(t.at("file"));
  CHECK(file.sparse());
  const auto extents = extents_of(file);
  REQUIRE(extents.size() == 1);
  CHECK_FALSE(extents[0].hole);
}

TEST_CASE("SourceFile: a dense file is one extent of data") {
  const TestDir t;
  t.write("file", std::string(kMiB, 'd'));
  const SourceFile file(t.at("file"));
  CHECK_FALSE(file.sparse());
  const auto extents = extents_of(file);
  REQUIRE(extents.size() == 1);
  CHECK_FALSE(extents[0].hole);
}

}  // namespace
}  // namespace zx
