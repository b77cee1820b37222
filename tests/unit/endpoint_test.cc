// SPDX-License-Identifier: MIT
#include "common/net/endpoint.h"

#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

using Names = std::vector<std::string>;

TEST_CASE("zs operands: host and port and path") {
  struct {
    const char* text;
    const char* host;
    uint16_t port;
    Names path;
    bool is_directory;
  } const rows[] = {
      {"zs://host", "host", 7717, {}, false},
      {"zs://host/", "host", 7717, {}, false},
      {"zs://host:1", "host", 1, {}, false},
      {"zs://host:65535/", "host", 65535, {}, false},
      {"zs://host:0080", "host", 80, {}, false},
      {"zs://a.b-c_d.example:7/x", "a.b-c_d.example", 7, {"x"}, false},
      {"zs://192.0.2.1:7717/x/y", "192.0.2.1", 7717, {"x", "y"}, false},
      {"zs://[::1]", "::1", 7717, {}, false},
      {"zs://[::1]:22/x", "::1", 22, {"x"}, false},
      {"zs://[fe80::1%eth0]:22", "fe80::1%eth0", 22, {}, false},
      {"zs://host/x/", "host", 7717, {"x"}, true},
      {"zs://host/x//", "host", 7717, {"x"}, true},
      {"zs://host/x//y", "host", 7717, {"x", "y"}, false},
      {"zs://host//x", "host", 7717, {"x"}, false},
      // Literally: no decoding, no other special character.
      {"zs://host/a%2fb", "host", 7717, {"a%2fb"}, false},
      {"zs://host/a b:c?d#e", "host", 7717, {"a b:c?d#e"}, false},
      {"zs://host/...", "host", 7717, {"..."}, false},
      {"zs://host/..x/x..", "host", 7717, {"..x", "x.."}, false},
      {"zs://host/[x]:1", "host", 7717, {"[x]:1"}, false},
      {"zs://host/@", "host", 7717, {"@"}, false},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto endpoint = parse_direct(row.text);
    REQUIRE(endpoint);
    CHECK(endpoint->address.host == row.host);
    CHECK(endpoint->address.port == row.port);
    CHECK(endpoint->path == row.path);
    CHECK(endpoint->path_is_directory == row.is_directory);
  }
}

TEST_CASE("zs operands: bad ones are usage errors") {
  for (const char* text : {
           "zs://",
           "zs:///x",
           "zs://:7717",
           "zs://:7717/x",
           "zs://host:",
           "zs://host:/x",
           "zs://host:0",
           "zs://host:65536",
           "zs://host:-1",
           "zs://host:+1",
           "zs://host: 1",
           "zs://host:1 ",
           "zs://host:0x10",
           "zs://host:http",
           "zs://host:99999999999999999999",
           "zs://::1",
           "zs://::1:7717",
           "zs://fe80::1/x",
           "zs://[::1",
           "zs://[::1/x",
           "zs://[::1]7717",
           "zs://[::1]x",
           "zs://[::1]:",
           "zs://[]:7717",
           "zs://-host",
           "zs://[-x]:1",
           "zs://-oProxyCommand=x",
           "zs://user@host",
           "zs://ho st",
           "zs://ho\nst",
           "zs://ho\x1b[2Jst",
           "zs://h\xc3\xb6st",
           "zs://host;id",
           "zs://host?x",
           "zs://$(id)",
           "zs://host/..",
           "zs://host/../x",
           "zs://host/x/../y",
           "zs://host/x/..",
           "zs://host/.",
           "zs://host/./x",
           "zs://host/x/.",
           "zs://host/x/./",
           "zs://host//..",
           "zs://host/x//../y",
       }) {
    INFO(text);
    CHECK(outcome([&] { parse_direct(text); }) == "usage");
  }
}

TEST_CASE("zs operands: a name of 255 bytes is the longest") {
  CHECK(outcome([] { parse_direct("zs://h/" + std::string(255, 'x')); }) == "no error");
  CHECK(outcome([] { parse_direct("zs://h/" + std::string(256, 'x')); }) == "usage");
}

TEST_CASE("zs operands: anything else is not one") {
  for (const char* text : {"", "zs:", "zs:/", "zs:/host", "ZS://host", "file", "./zs://host",
                           " zs://host", "host:path", "ssh://host/x", "-"}) {
    INFO(text);
    CHECK_FALSE(parse_direct(text));
  }
}

TEST_CASE("zs operands: the message quotes the operand") {
  CHECK_THROWS_WITH(parse_direct("zs://ho\x1b[2Jst"),
                    Catch::Contains("\\x1b") && !Catch::Contains("\x1b"));
}

TEST_CASE("listen addresses: good ones") {
  struct {
    const char* text;
    const char* host;
    uint16_t port;
  } const rows[] = {
      {"7717", "", 7717},
      {"0", "", 0},
      {"65535", "", 65535},
      {":7717", "", 7717},
      {":0", "", 0},
      {"host:80", "host", 80},
      {"127.0.0.1:0", "127.0.0.1", 0},
      {"[::1]:80", "::1", 80},
      {"[::]:0", "::", 0},
      {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const HostPort address = parse_listen(row.text);
    CHECK(address.host == row.host);
    CHECK(address.port == row.port);
  }
}

TEST_CASE("listen addresses: bad ones are usage errors") {
  for (const char* text :
       {"",        "host",     "127.0.0.1", "[::1]",        "::1",          "::1:80",
        "65536",   "host:",    ":",         "host:65536",   "-1",           "+1",
        "80 ",     " 80",      "8o",        "host:80/x",    "[::1]80",      "[::1",
        "-host:1", "ho st:80", "a:b:80",    "zs://host:80", "user@host:80", "ho\nst:80"}) {
    INFO(text);
    CHECK(outcome([&] { parse_listen(text); }) == "usage");
  }
}

TEST_CASE("ssh operands: a colon before any slash as scp decides it") {
  for (const char* text :
       {"host:", "host:path", "user@host:path", "host:/abs", "host:a:b", "[::1]:path",
        "user@[::1]:path", "ssh://host", "ssh://user@host:22/x", "a b:c"}) {
    INFO(text);
    CHECK(looks_like_ssh(text));
  }
  for (const char* text : {"", "file", "./a:b", "/a:b", "dir/a:b", "../a:b", ":", ":path",
                           "zs://host/x", "zs://host:1/x", "[x", "[x]", "-"}) {
    INFO(text);
    CHECK_FALSE(looks_like_ssh(text));
  }
}

TEST_CASE("ssh operands: user, host, port and path") {
  struct {
    const char* text;
    const char* user;
    const char* host;
    int port;
    const char* path;
  } const rows[] = {
      {"host:path", "", "host", -1, "path"},
      {"host:", "", "host", -1, "."},
      {"host:~", "", "host", -1, "."},
      {"host:~/", "", "host", -1, "."},
      {"host:~//x", "", "host", -1, "x"},
      {"host:~user/x", "", "host", -1, "~user/x"},
      {"host:./~/x", "", "host", -1, "./~/x"},
      {"host:a:b", "", "host", -1, "a:b"},
      {"host:/a b;c'\n", "", "host", -1, "/a b;c'\n"},
      {"host:-", "", "host", -1, "./-"},
      {"host:-x", "", "host", -1, "-x"},
      {"host:a@b", "", "host", -1, "a@b"},
      {"me@host:x", "me", "host", -1, "x"},
      {"me@corp.example@host:x", "me@corp.example", "host", -1, "x"},
      {"CORP\\alice@host:x", "CORP\\alice", "host", -1, "x"},
      {"ssh://CORP\\alice@host/x", "CORP\\alice", "host", -1, "/x"},
      {"[::1]:x", "", "::1", -1, "x"},
      {"me@[fe80::1%eth0]:/x", "me", "fe80::1%eth0", -1, "/x"},
      {"host:[x]:y", "", "host", -1, "[x]:y"},
      {"ssh://host", "", "host", -1, "."},
      {"ssh://host/", "", "host", -1, "/"},
      {"ssh://me@host:22/a/b", "me", "host", 22, "/a/b"},
      {"ssh://host/~", "", "host", -1, "."},
      {"ssh://host/~/a", "", "host", -1, "a"},
      {"ssh://host/~a", "", "host", -1, "/~a"},
      {"ssh://[::1]/a", "", "::1", -1, "/a"},
      {"ssh://me@[::1]:22/a:b@c", "me", "::1", 22, "/a:b@c"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto e = parse_ssh(row.text);
    REQUIRE(e);
    CHECK(e->user == row.user);
    CHECK(e->host == row.host);
    CHECK(e->port.value_or(0) == (row.port < 0 ? 0 : row.port));
    CHECK(e->port.has_value() == (row.port >= 0));
    CHECK(e->path == row.path);
  }
  for (const char* text : {"./host:x", "/host:x", "zs://host/x", "x", "-", ":x", "a/b@c:d"}) {
    INFO(text);
    CHECK_FALSE(parse_ssh(text));
  }
}

TEST_CASE("ssh operands: what could be an option or a command is refused") {
  const std::string bad = " \t\n\r\x1b\x7f'`\"$\\;&<>|(){}*?!#^~\xc3";
  std::vector<std::string> operands{"-host:x",
                                    "-oProxyCommand=x:y",
                                    "ssh://-host/x",
                                    "me@-host:x",
                                    "-me@host:x",
                                    "ssh://-me@host/x",
                                    "@host:x",
                                    "me@:x",
                                    "ssh://",
                                    "ssh:///x",
                                    "ssh://me@/x",
                                    "ssh://host:/x",
                                    "ssh://host:0/x",
                                    "ssh://host:x/y",
                                    "ssh://host:65536/",
                                    "ssh://::1/x",
                                    "ssh://[::1/x",
                                    "[-x]:y",
                                    "host:" + std::string(4096, 'x')};
  for (char c : bad) {
    operands.push_back(std::string("ho") + c + "st:x");
    operands.push_back(std::string("ssh://ho") + c + "st/x");
    if (c == '\\') continue;  // is in the names of some users
    operands.push_back(std::string("m") + c + "e@host:x");
    operands.push_back(std::string("ssh://m") + c + "e@host/x");
  }
  for (const std::string& operand : operands) {
    INFO(operand);
    CHECK(outcome([&] { parse_ssh(operand); }) == "usage");
  }
}

TEST_CASE("ssh operands: a backslash in the user's name, but neither last nor in the host's") {
  for (const char* text : {"CORP\\@host:x", "\\@host:x", "CORP\\host:x"}) {
    INFO(text);
    CHECK(outcome([&] { parse_ssh(text); }) == "usage");
  }
}

TEST_CASE("operands: a URL that is not ours is a mistake, and ours is named") {
  const struct {
    const char *text, *meant;
  } rows[] = {
      {"https://host/x", "zs://HOST:PORT"}, {"ZS://host", "zs://HOST:PORT"},
      {"zs:/host", "zs://HOST:PORT"},       {"Zs:/host:7717", "zs://HOST:PORT"},
      {"ftp://host/x", "zs://HOST:PORT"},   {"x+y.z-1://host", "zs://HOST:PORT"},
      {"SSH://host/x", "ssh://HOST/PATH"},  {"scp://me@host/x", "ssh://HOST/PATH"},
      {"sftp://host/x", "ssh://HOST/PATH"}, {"rsync://host/x", "ssh://HOST/PATH"},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    CHECK(outcome([&] { parse_ssh(row.text); }) == "usage");
    CHECK(outcome([&] { (void)looks_like_ssh(row.text); }) == "usage");
    CHECK_THROWS_WITH(parse_ssh(row.text), Catch::Contains(row.meant));
  }
  for (const char* text : {"host:/x", "host:x://y", "./https://host", "zs:x", "me@zs:/x"}) {
    INFO(text);
    CHECK(outcome([&] { (void)looks_like_ssh(text); }) == "no error");
  }
}

TEST_CASE("ssh operands: a port where nc has one is a file's name here") {
  CHECK(port_remark(*parse_ssh("good:7717")).find("zs://good:7717") != std::string::npos);
  CHECK(port_remark(*parse_ssh("[::1]:80")).find("zs://[::1]:80") != std::string::npos);
  for (const char* text : {"good:", "good:x7717", "good:./7717", "good:123456"})
    CHECK(port_remark(*parse_ssh(text)).empty());
}

TEST_CASE("port ranges") {
  CHECK(parse_port_range("7000-7010").first == 7000);
  CHECK(parse_port_range("7000-7010").last == 7010);
  CHECK(parse_port_range("65535").last == 65535);
  for (const char* text : {"", "-", "1-", "-1", "0", "0-5", "5-4", "1-65536", "1-2-3", "a-b", " 1"})
    CHECK(outcome([&] { parse_port_range(text); }) == "usage");
}

TEST_CASE("to_text: IPv6 in brackets and back") {
  CHECK(to_text({"host", 1}) == "host:1");
  CHECK(to_text({"::1", 7717}) == "[::1]:7717");
  for (const char* text : {"host:80", "[::1]:7717", "127.0.0.1:1"})
    CHECK(to_text(parse_listen(text)) == text);
}

}  // namespace
}  // namespace zx
