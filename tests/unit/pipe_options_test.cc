// SPDX-License-Identifier: MIT
// zsend's options for what comes out of a pipe: -, --exec, --name, --size.
#include <catch2/catch.hpp>

#include "tests/unit/options_fixture.h"

namespace zx {
namespace {

TEST_CASE("zsend options: standard input is a source, alone or beside files, once") {
  CHECK(send({"-", "zs://host"}).sources == Words{"-"});
  CHECK(send({"a", "-", "b", "zs://host"}).sources == Words{"a", "-", "b"});
  CHECK(send({"--listen", "0", "-"}).sources == Words{"-"});
  CHECK(send({"--", "-", "zs://host"}).sources == Words{"-"});
  CHECK(send({"./-", "zs://host"}).sources == Words{"./-"});
  CHECK(send_outcome({"-", "-", "zs://host"}) == "usage");
  CHECK(send_outcome({"-", "a", "-", "zs://host"}) == "usage");
  CHECK(send_outcome({"-"}) == "usage");
  CHECK(send_outcome({"a", "-"}) == "usage");
}

TEST_CASE("zsend options: a command is the only source") {
  const SendOptions push = send({"--exec", "tar c .", "zs://host/x"});
  CHECK(push.exec == std::optional<std::string>("tar c ."));
  CHECK(push.sources.empty());
  CHECK(push.direct->path == Words{"x"});
  CHECK(send({"--exec=-", "zs://host"}).exec == std::optional<std::string>("-"));
  CHECK_FALSE(send({"--listen", "0", "--exec=true"}).direct);
  CHECK_FALSE(send({"a", "zs://host"}).exec);
  for (const Words& words :
       {Words{"--exec", "true"}, Words{"--exec=true", "a", "zs://host"},
        Words{"--exec=true", "-", "zs://host"}, Words{"--exec=true", "--listen", "0", "a"},
        Words{"--exec=", "zs://host"}, Words{"--exec", "", "zs://host"}, Words{"--exec=true", "a"},
        Words{"--exec=true", "--new-key", "k"}})
    CHECK(send_outcome(words) == "usage");
}

TEST_CASE("zsend options: name and size are for what has none") {
  const SendOptions o = send({"--name", "a b.tar", "--size=10G", "-", "zs://host"});
  CHECK(o.name == std::optional<std::string>("a b.tar"));
  CHECK(o.expected_bytes == uint64_t{10} << 30);
  CHECK(send({"--name=x", "--size=0", "--exec=true", "zs://host"}).expected_bytes == 0);
  CHECK(send({"--size=7", "a", "-", "zs://host"}).expected_bytes == 7);
  CHECK_FALSE(send({"-", "zs://host"}).name);
  for (const Words& words :
       {Words{"--name=x", "a", "zs://host"}, Words{"--size=1", "a", "zs://host"},
        Words{"--name=", "-", "zs://host"}, Words{"--name=a/b", "-", "zs://host"},
        Words{"--name=..", "-", "zs://host"}, Words{"--name=.", "-", "zs://host"},
        Words{"--size=", "-", "zs://host"}, Words{"--size=x", "-", "zs://host"},
        Words{"--size=-1", "-", "zs://host"}, Words{"--size=9223372036854775808", "-", "zs://host"},
        Words{"--size=1X", "-", "zs://host"}})
    CHECK(send_outcome(words) == "usage");
  CHECK(send({"--size=9223372036854775807", "-", "zs://host"}).expected_bytes == kMaxFileBytes);
  CHECK(send_outcome({"--name=.zrecv-x", "-", "zs://host"}) == "refused");
  CHECK(send_outcome({"--name", std::string(256, 'n'), "-", "zs://host"}) == "refused");
}

TEST_CASE("zrecv options: name and size are not its own") {
  for (const char* option : {"--name=x", "--size=1"}) {
    RecvOptions out;
    CHECK(outcome({option, "zs://host", "dir"}, &out) == "usage");
  }
}

}  // namespace
}  // namespace zx
