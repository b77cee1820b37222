// SPDX-License-Identifier: MIT
// zsend's options for what comes out of a pipe: -, --exec, --name, --size.
#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "zrecv/options.h"
#include "zsend/options.h"

namespace zx {
namespace {

using Words = std::vector<std::string>;

template <typename Parse, typename Options>
std::string outcome(Parse parse, const Words& words, Options* out) {
  std::vector<const char*> argv{"program"};
  std::string shown;
  for (const std::string& word : words) {
    argv.push_back(word.c_str());
    shown += word + " ";
  }
  UNSCOPED_INFO(shown);
  try {
    return parse(static_cast<int>(argv.size()), argv.data(), out) ? "accepted" : "answered";
  } catch (const Error& e) {
    return std::string(status_name(e.status()));
  }
}
std::string outcome(const Words& words) {
  SendOptions out;
  return outcome(parse_send_options, words, &out);
}
SendOptions accepted(const Words& words) {
  SendOptions out;
  REQUIRE(outcome(parse_send_options, words, &out) == "accepted");
  return out;
}

TEST_CASE("zsend options: standard input is a source, alone or beside files, once") {
  CHECK(accepted({"-", "zs://host"}).sources == Words{"-"});
  CHECK(accepted({"a", "-", "b", "zs://host"}).sources == Words{"a", "-", "b"});
  CHECK(accepted({"--listen", "0", "-"}).sources == Words{"-"});
  CHECK(accepted({"--", "-", "zs://host"}).sources == Words{"-"});
  CHECK(accepted({"./-", "zs://host"}).sources == Words{"./-"});
  CHECK(outcome({"-", "-", "zs://host"}) == "usage");
  CHECK(outcome({"-", "a", "-", "zs://host"}) == "usage");
  CHECK(outcome({"-"}) == "usage");
  CHECK(outcome({"a", "-"}) == "usage");
}

TEST_CASE("zsend options: a command is the only source") {
  const SendOptions push = accepted({"--exec", "tar c .", "zs://host/x"});
  CHECK(push.exec == std::optional<std::string>("tar c ."));
  CHECK(push.sources.empty());
  CHECK(push.remote->path == Words{"x"});
  CHECK(accepted({"--exec=-", "zs://host"}).exec == std::optional<std::string>("-"));
  CHECK_FALSE(accepted({"--listen", "0", "--exec=true"}).remote);
  CHECK_FALSE(accepted({"a", "zs://host"}).exec);
  for (const Words& words :
       {Words{"--exec", "true"}, Words{"--exec=true", "a", "zs://host"},
        Words{"--exec=true", "-", "zs://host"}, Words{"--exec=true", "--listen", "0", "a"},
        Words{"--exec=", "zs://host"}, Words{"--exec", "", "zs://host"}, Words{"--exec=true", "a"},
        Words{"--exec=true", "--new-key", "k"}})
    CHECK(outcome(words) == "usage");
}

TEST_CASE("zsend options: name and size are for what has none") {
  const SendOptions o = accepted({"--name", "a b.tar", "--size=10G", "-", "zs://host"});
  CHECK(o.name == std::optional<std::string>("a b.tar"));
  CHECK(o.expected_bytes == uint64_t{10} << 30);
  CHECK(accepted({"--name=x", "--size=0", "--exec=true", "zs://host"}).expected_bytes == 0);
  CHECK(accepted({"--size=7", "a", "-", "zs://host"}).expected_bytes == 7);
  CHECK_FALSE(accepted({"-", "zs://host"}).name);
  for (const Words& words :
       {Words{"--name=x", "a", "zs://host"}, Words{"--size=1", "a", "zs://host"},
        Words{"--name=", "-", "zs://host"}, Words{"--name=a/b", "-", "zs://host"},
        Words{"--name=..", "-", "zs://host"}, Words{"--name=.", "-", "zs://host"},
        Words{"--size=", "-", "zs://host"}, Words{"--size=x", "-", "zs://host"},
        Words{"--size=-1", "-", "zs://host"}, Words{"--size=9223372036854775808", "-", "zs://host"},
        Words{"--size=1X", "-", "zs://host"}})
    CHECK(outcome(words) == "usage");
  CHECK(accepted({"--size=9223372036854775807", "-", "zs://host"}).expected_bytes == kMaxFileBytes);
  CHECK(outcome({"--name=.zrecv-x", "-", "zs://host"}) == "refused");
  CHECK(outcome({"--name", std::string(256, 'n'), "-", "zs://host"}) == "refused");
}

TEST_CASE("zrecv options: name and size are not its own") {
  for (const char* option : {"--name=x", "--size=1"}) {
    RecvOptions out;
    CHECK(outcome(parse_recv_options, {option, "zs://host", "dir"}, &out) == "usage");
  }
}

}  // namespace
}  // namespace zx
