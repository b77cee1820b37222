// SPDX-License-Identifier: MIT
#include "common/net/key.h"

#include <endian.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/integrity/digest.h"
#include "tests/unit/outcome.h"
#include "tests/unit/temp_dir.h"

extern char** environ;

namespace zx {
namespace {

namespace fs = std::filesystem;

// id 00112233, secret 40..5f; the text was made by another program from the format in key.h.
constexpr std::string_view kText =
    "zk1_008j4ct085146h258s3mgjaa9d64tkjfa18n4mtmanb5ep2sb9dnrqaybx1rfpke";

std::string upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

// A private directory with a key file of the wanted content and mode.
class KeyDir : public TempDir {
 public:
  std::string file(const std::string& content, mode_t mode = 0600) const {
    const std::string path = at("key");
    fs::remove(path);
    std::ofstream(path) << content;
    REQUIRE(chmod(path.c_str(), mode) == 0);
    return path;
  }
};

// --- text

TEST_CASE("Key: a known text has the known id and secret") {
  const Key key = Key::parse(kText);
  CHECK(key.text() == kText);
  CHECK(key.identity() == "zxfer/1 00112233");
}

TEST_CASE("Key: a generated one survives the way through text") {
  for (int i = 0; i < 20; ++i) {
    const Key key = Key::generate();
    const std::string text = key.text();
    CHECK(text.size() == 68);
    CHECK(text.starts_with("zk1_"));
    CHECK(text.find_first_not_of("0123456789abcdefghjkmnpqrstvwxyz", 4) == std::string::npos);
    const Key back = Key::parse(text);
    CHECK(back.text() == text);
    CHECK(back.identity() == key.identity());
    CHECK(to_hex(back.derive("x", Role::Sender)) == to_hex(key.derive("x", Role::Sender)));
  }
}

TEST_CASE("Key: two generated ones differ in id and secret") {
  const Key a = Key::generate(), b = Key::generate();
  CHECK(a.text() != b.text());
  CHECK(a.identity() != b.identity());
  CHECK(to_hex(a.derive("x", Role::Sender)) != to_hex(b.derive("x", Role::Sender)));
}

TEST_CASE("Key: upper case is accepted") {
  CHECK(Key::parse("zk1_" + upper(std::string(kText.substr(4)))).text() == kText);
}

TEST_CASE("Key: upper case is accepted in the prefix too") {
  CHECK(outcome([] { Key::parse(upper(std::string(kText))); }) == "no error");
}

TEST_CASE("Key: any other character in any place is found") {
  for (size_t at = 4; at < kText.size(); ++at) {
    std::string text(kText);
    for (char c : std::string_view("0123456789abcdefghjkmnpqrstvwxyz")) {
      if (c == kText[at]) continue;
      text[at] = c;
      INFO(text);
      CHECK(outcome([&] { Key::parse(text); }) == "not-authenticated");
    }
  }
}

TEST_CASE("Key: two neighbours that changed places are found") {
  for (size_t at = 4; at + 1 < kText.size(); ++at) {
    std::string text(kText);
    if (text[at] == text[at + 1]) continue;
    std::swap(text[at], text[at + 1]);
    INFO(text);
    CHECK(outcome([&] { Key::parse(text); }) == "not-authenticated");
  }
}

TEST_CASE("Key: what is no key is refused") {
  const std::string good(kText);
  for (const std::string& text : {std::string(),
                                  std::string("zk1_"),
                                  std::string("zk1"),
                                  good.substr(4),
                                  good.substr(1),
                                  good + "0",
                                  good.substr(0, 67),
                                  "zk2_" + good.substr(4),
                                  " " + good,
                                  good + " ",
                                  good + "\n",
                                  "zk1_" + std::string(64, '0'),
                                  "zk1_i" + good.substr(5),
                                  "zk1_l" + good.substr(5),
                                  "zk1_o" + good.substr(5),
                                  "zk1_u" + good.substr(5),
                                  "zk1_-" + good.substr(5),
                                  "zk1_\xc3\xa9" + good.substr(6),
                                  std::string("zk1_\0", 5) + good.substr(5),
                                  std::string(1 << 20, 'z')}) {
    INFO(text.substr(0, 80));
    CHECK(outcome([&] { Key::parse(text); }) == "not-authenticated");
  }
}

TEST_CASE("Key: a message never has the text that was refused") {
  std::string damaged(kText);
  damaged.back() = damaged.back() == '0' ? '1' : '0';
  const std::string secret_part = damaged.substr(10, 20);
  for (const std::string& text : {damaged, damaged + "0", "zk2_" + damaged.substr(4)})
    CHECK_THROWS_WITH(Key::parse(text), !Catch::Contains(secret_part));
}

// --- derivation

TEST_CASE("Key: derive is HKDF-SHA256 with purpose and role in the label") {
  // Made by another program: HKDF (RFC 5869), no salt, key 40..5f,
  // info "zxfer/1 PURPOSE connector=ROLE".
  const Key key = Key::parse(kText);
  CHECK(to_hex(key.derive("tls-psk", Role::Sender)) ==
        "b209e844c72d78f4520eecd0a9ab256f5e9543ef7af031de5fd432d02b3f3616");
  CHECK(to_hex(key.derive("tls-psk", Role::Receiver)) ==
        "0589b748f63404674e4bc1523d26a40f9069fa3c7da774bd2986d86da4324b34");
  CHECK(to_hex(key.derive("plain-auth", Role::Sender)) ==
        "696f25332ca8c58582dccfcda4c8e4d515b98bb4778c9a6e371b0fb99378ee1e");
  CHECK(to_hex(key.derive("plain-auth", Role::Receiver)) ==
        "4dbf4ecb967e13b21965b37edb32d0864c5fa204db56ee89d0f92575ad6148ac");
}

TEST_CASE("Key: every purpose and role has a key of its own") {
  const Key key = Key::generate();
  std::set<std::string> derived;
  for (const char* purpose : {"tls-psk", "plain-auth", ""})
    for (Role role : {Role::Sender, Role::Receiver})
      CHECK(derived.insert(to_hex(key.derive(purpose, role))).second);
  CHECK(derived.size() == 6);
}

TEST_CASE("Key: wipe overwrites") {
  std::array<std::byte, 16> bytes{};
  bytes.fill(std::byte{0x55});
  wipe(bytes);
  CHECK(to_hex(bytes) == std::string(32, '0'));
  std::string text = "secret";
  wipe(text);
  CHECK(text.empty());
}

// The secret of a key as text, each byte inverted: what looks for it does not find itself.
std::string inverted_secret(std::string_view text) {
  constexpr std::string_view kAlphabet = "0123456789abcdefghjkmnpqrstvwxyz";
  std::string out;
  uint32_t bits = 0;
  int have = 0;
  for (const char c : text.substr(4)) {
    bits = (bits << 5 | static_cast<uint32_t>(kAlphabet.find(c))) & 0xfff;
    have += 5;
    if (have >= 8) out += static_cast<char>(~(bits >> (have -= 8)));
  }
  return out.substr(4, 32);
}

// Whether it is on the stack or the heap of this process.
bool is_in_memory(const std::string& inverted) {
  std::ifstream maps("/proc/self/maps"), memory("/proc/self/mem", std::ios::binary);
  for (std::string line; std::getline(maps, line);) {
    if (!line.ends_with("[stack]") && !line.ends_with("[heap]")) continue;
    size_t dash = 0;
    const auto begin = std::stoull(line, &dash, 16);
    const auto end = std::stoull(line.substr(dash + 1), nullptr, 16);
    std::string bytes(end - begin, '\0');
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    REQUIRE(memory.good());
    const auto is_inverse = [](char a, char b) { return a == static_cast<char>(~b); };
    if (std::ranges::search(bytes, inverted, is_inverse)) return true;
  }
  return false;
}

// Deep below what is called afterwards, which would overwrite what it leaves.
[[gnu::noinline]] bool is_a_key(const std::string& text) {
  std::array<volatile char, 128 << 10> deep;
  deep[0] = 0;
  deep[deep.size() - 1] = 0;
  try {
    (void)Key::parse(text);
    return deep[0] == 0;
  } catch (const Error&) {
    return deep[0] != 0;
  }
}

TEST_CASE("Key: nothing of a secret is left in memory, also of one that was refused") {
  std::string text = Key::generate().text();
  const std::string inverted = inverted_secret(text);
  CHECK(is_a_key(text));
  CHECK_FALSE(is_in_memory(inverted));
  text.back() = text.back() == 'q' ? 'p' : 'q';
  CHECK_FALSE(is_a_key(text));
  CHECK_FALSE(is_in_memory(inverted));
}

// --- key files

TEST_CASE("key file: a private one is read") {
  const KeyDir dir;
  const std::string text(kText);
  for (const std::string& content : {text, text + "\n", text + "\r\n", text + " \n", text + "\n\n"})
    CHECK(read_key_file(dir.file(content)).text() == kText);
  for (mode_t mode : {0600, 0400, 0700})
    CHECK(outcome([&] { read_key_file(dir.file(text, mode)); }) == "no error");
}

TEST_CASE("key file: one that group or others may touch is refused with advice") {
  const KeyDir dir;
  for (mode_t mode : {0640, 0620, 0610, 0604, 0602, 0601, 0644, 0666, 0440}) {
    const std::string path = dir.file(std::string(kText), mode);
    INFO(std::oct << mode);
    CHECK(outcome([&] { read_key_file(path); }) == "not-authenticated");
    CHECK_THROWS_WITH(read_key_file(path), Catch::Contains("chmod 600"));
  }
}

TEST_CASE("key file: what is not a regular file is refused at once") {
  const KeyDir dir;
  const std::string fifo = dir.at("fifo");
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(outcome([&] { read_key_file(fifo); }) == "not-authenticated");
  const std::string directory = dir.at("directory");
  REQUIRE(mkdir(directory.c_str(), 0700) == 0);
  CHECK(outcome([&] { read_key_file(directory); }) == "not-authenticated");
  CHECK(outcome([] { read_key_file("/dev/null"); }) == "not-authenticated");
}

TEST_CASE("key file: a pipe without a name is read to its end") {
  const KeyDir dir;
  const std::string text(kText);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const std::string path = "/dev/fd/" + std::to_string(ends[0]);
  std::jthread writer([&] {  // in pieces, the second after the first may have been read
    for (const std::string& piece : {text.substr(0, 20), text.substr(20) + "\n"})
      (void)!write(ends[1], piece.data(), piece.size());
    close(ends[1]);
  });
  CHECK(read_key_file(path).text() == kText);
  close(ends[0]);
}

// As `nobody`, in a child process, since the effective user counts for all threads.
std::string outcome_as_nobody(const std::string& path) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    std::string out = "cannot become nobody";
    if (setegid(65534) == 0 && seteuid(65534) == 0) out = outcome([&] { read_key_file(path); });
    (void)!write(ends[1], out.data(), out.size());
    _exit(0);
  }
  close(ends[1]);
  std::array<char, 256> text{};
  const ssize_t n = read(ends[0], text.data(), text.size());
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return {text.data(), static_cast<size_t>(std::max<ssize_t>(n, 0))};
}

TEST_CASE("key file: what root keeps for a service may be read by it, and by no other user") {
  if (geteuid() != 0) {
    WARN("needs root to make files of root");
    return;
  }
  const KeyDir dir;
  REQUIRE(chmod(dir.at("").c_str(), 0755) == 0);
  const std::string path = dir.file(std::string(kText), 0640);
  REQUIRE(chown(path.c_str(), 0, 65534) == 0);
  CHECK(outcome_as_nobody(path) == "no error");
  CHECK(outcome([&] { read_key_file(path); }) == "not-authenticated");  // root has no need of that
  for (const mode_t mode : {0644, 0660, 0650, 0641}) {
    INFO(std::oct << mode);
    REQUIRE(chmod(path.c_str(), mode) == 0);
    CHECK(outcome_as_nobody(path) == "not-authenticated");
  }
  // As systemd's LoadCredential= has it: root's, 0400, and an ACL for the user of the service.
  struct Acl {
    posix_acl_xattr_header header;
    posix_acl_xattr_entry entries[5];
  };
  const auto acl_for = [](uint32_t user) {
    return Acl{{htole32(POSIX_ACL_XATTR_VERSION)},
               {{htole16(ACL_USER_OBJ), htole16(4), htole32(~0U)},
                {htole16(ACL_USER), htole16(4), htole32(user)},
                {htole16(ACL_GROUP_OBJ), 0, htole32(~0U)},
                {htole16(ACL_MASK), htole16(4), htole32(~0U)},
                {htole16(ACL_OTHER), 0, htole32(~0U)}}};
  };
  REQUIRE(chmod(path.c_str(), 0400) == 0);
  REQUIRE(chown(path.c_str(), 0, 0) == 0);
  CHECK(outcome_as_nobody(path) == "file-io");  // the kernel's word
  Acl acl = acl_for(65534);
  if (setxattr(path.c_str(), "system.posix_acl_access", &acl, sizeof acl, 0) != 0) {
    WARN("no ACLs here");
    return;
  }
  CHECK(outcome_as_nobody(path) == "no error");
  acl = acl_for(12345);
  REQUIRE(chown(path.c_str(), 0, 65534) == 0);
  acl.entries[2].e_perm = htole16(4);
  REQUIRE(setxattr(path.c_str(), "system.posix_acl_access", &acl, sizeof acl, 0) == 0);
  CHECK(outcome_as_nobody(path) == "not-authenticated");
}

TEST_CASE("key file: one that is not there is a file error") {
  const KeyDir dir;
  CHECK(outcome([&] { read_key_file(dir.at("none")); }) == "file-io");
  CHECK(outcome([&] { read_key_file(dir.at("no/dir")); }) == "file-io");
}

TEST_CASE("key file: wrong content is refused") {
  const KeyDir dir;
  const std::string text(kText);
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("hello\n"), text.substr(0, 60),
        text + "\n" + text + "\n", "# key\n" + text, std::string(4096, ' '),
        text + std::string(4096, '\n'), std::string(1 << 20, '0'), text + std::string(1, '\0')}) {
    const std::string path = dir.file(content);
    INFO(content.size());
    CHECK(outcome([&] { read_key_file(path); }) == "not-authenticated");
    CHECK_THROWS_WITH(read_key_file(path), Catch::Contains(path));
  }
}

TEST_CASE("key file: a symbolic link of the user is followed and its target judged") {
  const KeyDir dir;
  const std::string target = dir.file(std::string(kText));
  const std::string link = dir.at("link");
  REQUIRE(symlink(target.c_str(), link.c_str()) == 0);
  CHECK(read_key_file(link).text() == kText);
  REQUIRE(chmod(target.c_str(), 0644) == 0);
  CHECK(outcome([&] { read_key_file(link); }) == "not-authenticated");
}

TEST_CASE("key file: a file or link of another user is refused") {
  if (geteuid() != 0) {
    WARN("needs root to make files of another user");
    return;
  }
  const KeyDir dir;
  constexpr uid_t kOther = 12345;
  const std::string target = dir.file(std::string(kText));
  const std::string link = dir.at("link");
  REQUIRE(symlink(target.c_str(), link.c_str()) == 0);
  REQUIRE(lchown(link.c_str(), kOther, kOther) == 0);
  CHECK(outcome([&] { read_key_file(link); }) == "not-authenticated");
  REQUIRE(chown(target.c_str(), kOther, kOther) == 0);
  CHECK(outcome([&] { read_key_file(target); }) == "not-authenticated");
}

TEST_CASE("key file: a new one is private and can be read and never replaces another") {
  const KeyDir dir;
  const std::string path = dir.at("new");
  const mode_t old = umask(0);
  const Key key = Key::generate();
  write_key_file(path, key);
  umask(old);
  struct stat st {};
  REQUIRE(stat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 07777) == 0600);
  CHECK(read_key_file(path).text() == key.text());

  CHECK(outcome([&] { write_key_file(path, Key::generate()); }) == "file-io");
  CHECK(read_key_file(path).text() == key.text());
}

TEST_CASE("key file: a new one is not written through a symbolic link") {
  const KeyDir dir;
  const std::string link = dir.at("link");
  REQUIRE(symlink(dir.at("elsewhere").c_str(), link.c_str()) == 0);
  CHECK(outcome([&] { write_key_file(link, Key::generate()); }) == "file-io");
  CHECK_FALSE(fs::exists(dir.at("elsewhere")));
}

// --- environment

TEST_CASE("key from the environment: it is read once and removed") {
  REQUIRE(setenv("ZXFER_KEY", kText.data(), 1) == 0);
  const char* memory = getenv("ZXFER_KEY");
  REQUIRE(memory != nullptr);
  const std::string text = take_key_from_environment();
  CHECK(text == kText);
  CHECK(parse_environment_key(text).text() == kText);
  CHECK(getenv("ZXFER_KEY") == nullptr);
  CHECK(take_key_from_environment().empty());
}

TEST_CASE("key from the environment: the bytes in the environment block are overwritten") {
  // As exec leaves it: the string is in memory that /proc/PID/environ shows.
  std::string entry = "ZXFER_KEY=" + std::string(kText);
  REQUIRE(putenv(entry.data()) == 0);
  REQUIRE_FALSE(take_key_from_environment().empty());
  CHECK(entry.find("zk1_") == std::string::npos);
  CHECK(entry.find(kText.substr(4, 8)) == std::string::npos);
  for (char** e = environ; *e != nullptr; ++e)
    CHECK_FALSE(std::string_view(*e).starts_with("ZXFER_KEY"));
}

TEST_CASE("key from the environment: a bad one is refused and removed and not shown") {
  REQUIRE(setenv("ZXFER_KEY", "zk1_nonsense", 1) == 0);
  const std::string text = take_key_from_environment();
  CHECK(getenv("ZXFER_KEY") == nullptr);
  CHECK(outcome([&] { parse_environment_key(text); }) == "not-authenticated");
  CHECK_THROWS_WITH(parse_environment_key(text),
                    Catch::Contains("ZXFER_KEY") && !Catch::Contains("nonsense"));
}

TEST_CASE("key from the environment: an empty one is none") {
  REQUIRE(setenv("ZXFER_KEY", "", 1) == 0);
  CHECK(take_key_from_environment().empty());
  CHECK(getenv("ZXFER_KEY") == nullptr);
}

}  // namespace
}  // namespace zx
