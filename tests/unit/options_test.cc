// SPDX-License-Identifier: MIT
// The command lines of both programs: what is accepted and what it means, what is a usage error.
#include <stdlib.h>

#include <catch2/catch.hpp>
#include <iostream>
#include <sstream>

#include "common/ui/meeting.h"
#include "tests/unit/options_fixture.h"
#include "zsend/cursor.h"

namespace zx {
namespace {

using std::chrono::seconds;

void check_usage_for_both(const Words& words) {
  INFO(joined(words));
  CHECK(send_outcome(with_operands(words, true)) == "usage");
  CHECK(recv_outcome(with_operands(words, false)) == "usage");
}

// --- operands

TEST_CASE("zsend options: sources and where they go") {
  const SendOptions o = send({"a", "dir/b", "./x:y", "zs://host:1/p/"});
  CHECK(o.sources == Words{"a", "dir/b", "./x:y"});
  REQUIRE(o.direct);
  CHECK(o.direct->address.host == "host");
  CHECK(o.direct->address.port == 1);
  CHECK(o.direct->path == Words{"p"});
  CHECK(o.direct->path_is_directory);
  CHECK_FALSE(o.common.listen);
}

TEST_CASE("zsend options: listening needs no destination") {
  const SendOptions o = send({"--listen", "127.0.0.1:0", "a", "b"});
  CHECK(o.sources == Words{"a", "b"});
  CHECK_FALSE(o.direct);
  REQUIRE(o.common.listen);
  CHECK(o.common.listen->host == "127.0.0.1");
  CHECK(o.common.listen->port == 0);
}

TEST_CASE("zrecv options: source and destination") {
  const RecvOptions o = recv({"zs://[::1]:9/x", "dir"});
  REQUIRE(o.direct);
  CHECK(o.direct->address.host == "::1");
  CHECK(o.direct->address.port == 9);
  CHECK(o.destination == "dir");
  CHECK_FALSE(o.common.listen);
}

TEST_CASE("zrecv options: listening has the current directory as its default") {
  const RecvOptions here = recv({"--listen", "7717"});
  CHECK(here.destination == ".");
  CHECK_FALSE(here.direct);
  REQUIRE(here.common.listen);
  CHECK(here.common.listen->port == 7717);
  CHECK(recv({"--listen=7717", "dir"}).destination == "dir");
  CHECK(recv({"dir", "--listen=7717"}).destination == "dir");
}

TEST_CASE("options: operands are taken as they are written") {
  // The library for options has a meaning of its own for some of these ("[a,b]" is a list).
  for (const char* name : {"[x]", "[a,b]", "[]", "{}", "%%", "a,b", "a b", "a=b", "@file", "'q'",
                           "\"q\"", "\\", "+x", "%x", "#", "new\nline"}) {
    INFO(name);
    SendOptions sent;
    CHECK(outcome({name, "other", "zs://host"}, &sent) == "accepted");
    CHECK(sent.sources == Words{name, "other"});
    RecvOptions fetched;
    CHECK(outcome({"zs://host", name}, &fetched) == "accepted");
    CHECK(fetched.destination == name);
    RecvOptions waiting;  // where it is the only operand
    CHECK(outcome({"--listen", "0", name}, &waiting) == "accepted");
    CHECK(waiting.destination == name);
  }
}

TEST_CASE("options: values are taken as they are written") {
  for (const char* name : {"[x]", "{}", "%%", "a,b", "[a,b]"}) {
    INFO(name);
    for (const CommonOptions& o : both({std::string("--json=") + name})) {
      REQUIRE(o.console.json);
      CHECK(*o.console.json == name);
    }
    for (const CommonOptions& o : both({"--key-file", name})) {
      REQUIRE(o.key_file);
      CHECK(*o.key_file == name);
    }
  }
}

TEST_CASE("zsend options: bad operands are usage errors") {
  for (const Words& words : {Words{},
                             Words{"a"},
                             Words{"zs://host"},
                             Words{"a", "b"},
                             Words{"--", "a", "-host:path"},
                             Words{"a", "ho st:path"},
                             Words{"a", "us er@host:path"},
                             Words{"host:path", "host:path"},
                             Words{"a", "./x"},
                             Words{"zs://host", "a"},
                             Words{"host:path", "zs://host"},
                             Words{"zs://x", "zs://host"},
                             Words{"", "zs://host"},
                             Words{"a", "-"},
                             Words{"--listen", "0"},
                             Words{"--listen"},
                             Words{"--listen", "x", "a"},
                             Words{"--listen", "0", "a", "zs://host"},
                             Words{"--listen", "0", "host:path"},
                             Words{"a", "zs://host:0"},
                             Words{"a", "zs://host/.."},
                             Words{"a", "zs://"}}) {
    INFO(joined(words));
    CHECK(send_outcome(words) == "usage");
  }
}

TEST_CASE("zsend options: a source that cannot be sent does not keep the others from going") {
  for (const char* source : {"..", ".", "/", "dir/..", ".zrecv-1"}) {
    INFO(source);
    CHECK(send_outcome({source, "zs://host"}) == "accepted");
    const SourceCursor cursor(send({"/proc/self/exe", source, "zs://host"}));
    CHECK(cursor.names() == std::vector<std::string>{"exe", "unnamed"});
    CHECK_THROWS_AS(SourceCursor(send({source, "zs://host"})), Error);
  }
}

TEST_CASE("zrecv options: bad operands are usage errors") {
  for (const Words& words : {Words{},
                             Words{"a"},
                             Words{"zs://host"},
                             Words{"a", "b"},
                             Words{"host:path"},
                             Words{"host:", "dir"},
                             Words{"host:/", "dir"},
                             Words{"host:x/..", "dir"},
                             Words{"host:x", "other:x", "dir"},
                             Words{"host:x", "me@host:x", "dir"},
                             Words{"ssh://host:1/x", "host:x", "dir"},
                             Words{"host:x", "zs://host", "dir"},
                             Words{"host:x", "local", "dir"},
                             Words{"zs://host", "a", "b"},
                             Words{"zs://host", ""},
                             Words{"zs://host", "zs://host"},
                             Words{"zs://host", "host:path"},
                             Words{"--listen", "0", "a", "b"},
                             Words{"--listen", "0", "zs://host"},
                             Words{"--listen", "0", "host:path"},
                             Words{"--listen", "0", ""},
                             Words{"--listen"},
                             Words{"--listen", "70000"},
                             Words{"zs://host/../x", "dir"}}) {
    INFO(joined(words));
    CHECK(recv_outcome(words) == "usage");
  }
}

TEST_CASE("options: two dashes end the options") {
  CHECK(send({"--", "-q", "--json", "zs://host"}).sources == Words{"-q", "--json"});
  CHECK_FALSE(send({"--", "--json", "zs://host"}).common.console.json);
  CHECK(send({"-q", "--", "--digest", "zs://host"}).common.console.quiet);
  CHECK(recv({"zs://host", "--", "-dir"}).destination == "-dir");
  CHECK(send_outcome({"a", "--", "--plain", "zs://host"}) == "accepted");
  CHECK_FALSE(send({"a", "--", "--plain", "zs://host"}).common.plain);
  CHECK(send_outcome({"-file", "zs://host"}) == "usage");
}

// --- options

TEST_CASE("options: with none there are the defaults") {
  for (const CommonOptions& o : both({})) {
    CHECK_FALSE(o.console.quiet);
    CHECK(o.console.verbose == 0);
    CHECK(o.console.progress == ProgressMode::Auto);
    CHECK_FALSE(o.console.json);
    CHECK_FALSE(o.console.digest);
    CHECK(o.family == Family::Any);
    CHECK_FALSE(o.key_file);
    CHECK_FALSE(o.new_key);
    CHECK_FALSE(o.plain);
    CHECK_FALSE(o.no_auth);
    CHECK_FALSE(o.engine.asked);
    CHECK(o.block_bytes == kDefaultBlockBytes);
    CHECK(o.rate_limit == 0);
    CHECK(o.timeout == seconds(60));
    CHECK_FALSE(o.wait);
    CHECK(o.durability == Durability::Unset);
    CHECK(o.overwrite == Overwrite::Unset);
    CHECK_FALSE(o.no_target_directory);
    CHECK_FALSE(o.preserve);
  }
}

TEST_CASE("options: every flag does what it says") {
  for (const char* word : {"-q", "--quiet"})
    for (const auto& o : both({word})) CHECK(o.console.quiet);
  for (const char* word : {"-v", "--verbose"})
    for (const auto& o : both({word})) CHECK(o.console.verbose == 1);
  for (const Words& words : {Words{"-vvv"}, Words{"-v", "-vv"}, Words{"-v", "-v", "--verbose"}})
    for (const auto& o : both(words)) CHECK(o.console.verbose == 3);
  for (const auto& o : both({"-4"})) CHECK(o.family == Family::V4);
  for (const auto& o : both({"-6"})) CHECK(o.family == Family::V6);
  for (const auto& o : both({"-p"})) CHECK(o.preserve);
  for (const auto& o : both({"--mkdir"})) CHECK(o.mkdir);
  for (const char* word : {"-T", "--no-target-directory"})
    for (const auto& o : both({word})) CHECK(o.no_target_directory);
  for (const auto& o : both({"--plain"})) CHECK((o.plain && !o.no_auth));
  for (const auto& o : both({"--plain", "--no-auth"})) CHECK((o.plain && o.no_auth));
  for (const auto& o : both({"-qpT"}))
    CHECK((o.console.quiet && o.preserve && o.no_target_directory));
}

TEST_CASE("options: values with a space or an equals sign") {
  for (const Words& words : {Words{"--key-file", "k"}, Words{"--key-file=k"}})
    for (const auto& o : both(words)) CHECK(o.key_file == std::optional<std::string>("k"));
  for (const Words& words : {Words{"--timeout", "5"}, Words{"--timeout=5"}})
    for (const auto& o : both(words)) CHECK(o.timeout == seconds(5));
  for (const Words& words : {Words{"--wait", "0"}, Words{"--wait=0"}})
    for (const auto& o : both(words)) CHECK(o.wait == std::optional(seconds(0)));
  for (const auto& o : both({"--wait=1000000"})) CHECK(o.wait == std::optional(seconds(1000000)));
  for (const auto& o : both({"--block-size", "1M"})) CHECK(o.block_bytes == kMinBlockBytes);
  for (const auto& o : both({"--block-size=16777216"})) CHECK(o.block_bytes == kMaxBlockBytes);
}

TEST_CASE("options: --bwlimit takes bytes a second with a suffix") {
  const std::pair<const char*, uint64_t> rows[] = {
      {"1024", 1024}, {"1K", 1024}, {"10000000", 10'000'000}, {"8G", uint64_t{8} << 30}};
  for (const auto& [text, rate] : rows)
    for (const auto& o : both({"--bwlimit", text})) {
      CHECK(o.rate_limit == rate);
      CHECK(make_terms(o, "zsend").rate_limit == rate);
    }
}

TEST_CASE("options: every word of a list means what it says") {
  for (const auto& o : both({"--durability=file"})) CHECK(o.durability == Durability::File);
  for (const auto& o : both({"--durability=batch"})) CHECK(o.durability == Durability::Batch);
  for (const auto& o : both({"--durability", "none"})) CHECK(o.durability == Durability::None);
  for (const auto& o : both({"--overwrite=always"})) CHECK(o.overwrite == Overwrite::Always);
  for (const auto& o : both({"--overwrite=never"})) CHECK(o.overwrite == Overwrite::Never);
  for (const auto& o : both({"--overwrite=skip"})) CHECK(o.overwrite == Overwrite::Skip);
  for (const auto& o : both({"--overwrite=older"})) CHECK(o.overwrite == Overwrite::Older);
  for (const auto& o : both({"--overwrite", "differ"})) CHECK(o.overwrite == Overwrite::Differ);
  for (const auto& o : both({"--progress=auto"})) CHECK(o.console.progress == ProgressMode::Auto);
  for (const auto& o : both({"--progress=always"}))
    CHECK(o.console.progress == ProgressMode::Always);
  for (const auto& o : both({"--progress=never"})) CHECK(o.console.progress == ProgressMode::Never);
  for (const auto& o : both({})) CHECK((o.ktls == Ktls::Auto));
  for (const auto& o : both({"--ktls=auto"})) CHECK((o.ktls == Ktls::Auto));
  for (const auto& o : both({"--ktls=on"})) CHECK((o.ktls == Ktls::On));
  for (const auto& o : both({"--ktls", "off"})) CHECK((o.ktls == Ktls::Off));
  for (const auto& o : both({"--tls-cipher=aes256"})) CHECK(o.suite == kSuiteAes256Gcm);
  for (const auto& o : both({"--tls-cipher=aes128"})) CHECK(o.suite == kSuiteAes128Gcm);
  for (const auto& o : both({"--tls-cipher=chacha20"})) CHECK(o.suite == kSuiteChaCha20Poly1305);
  for (const auto& o : both({})) CHECK(o.key_limit_bytes == kKeyLimitBytes);
  for (const auto& o : both({"--rekey-after=4M"})) CHECK(o.key_limit_bytes == 4 << 20);
  for (const auto& o : both({"--engine=auto"})) CHECK_FALSE(o.engine.asked);
  for (const auto& o : both({"--engine=readwrite"})) CHECK((o.engine.asked == Engine::ReadWrite));
}

TEST_CASE("options: each program has its own engines") {
  CHECK((send({"--engine=sendfile", "a", "zs://h"}).common.engine.asked == Engine::Sendfile));
  CHECK((send({"--engine=splice", "a", "zs://h"}).common.engine.asked == Engine::Splice));
  CHECK((send({"--engine=mmap", "a", "zs://h"}).common.engine.asked == Engine::Mmap));
  CHECK((recv({"--engine=splice", "zs://h", "d"}).common.engine.asked == Engine::Splice));
  for (const auto& o : both({"--engine", "direct"})) CHECK((o.engine.asked == Engine::Direct));
  CHECK(recv_outcome({"--engine=sendfile", "zs://h", "d"}) == "usage");
  CHECK(recv_outcome({"--engine=mmap", "zs://h", "d"}) == "usage");
}

TEST_CASE("options: the buffer is a number of whole pages between two bounds") {
  for (const auto& o : both({"--ktls=off"})) CHECK(o.engine.buffer_bytes == 0);
  for (const auto& o : both({"--buffer-size=4K"})) CHECK(o.engine.buffer_bytes == 4096);
  for (const auto& o : both({"--buffer-size", "32K"})) CHECK(o.engine.buffer_bytes == 32768);
  for (const auto& o : both({"--buffer-size=16M"})) CHECK(o.engine.buffer_bytes == 16 << 20);
  for (const char* bad : {"0", "4095", "4097", "5000", "16777217", "17M", "x", "-4K", "4Q"})
    for (const std::string& outcome : {send_outcome({"--buffer-size", bad, "a", "zs://h"}),
                                       recv_outcome({"--buffer-size", bad, "zs://h", "d"})}) {
      INFO(bad);
      CHECK(outcome == "usage");
    }
}

TEST_CASE("options: json and digest have an optional file and never eat an operand") {
  for (const auto& o : both({"--json"})) CHECK(o.console.json == std::optional<std::string>("-"));
  for (const auto& o : both({"--digest"}))
    CHECK(o.console.digest == std::optional<std::string>("-"));
  for (const auto& o : both({"--json=f"})) CHECK(o.console.json == std::optional<std::string>("f"));
  for (const auto& o : both({"--digest=f"}))
    CHECK(o.console.digest == std::optional<std::string>("f"));

  const SendOptions o = send({"--json", "a", "--digest", "b", "zs://host"});
  CHECK(o.sources == Words{"a", "b"});
  CHECK(o.common.console.json == std::optional<std::string>("-"));
  CHECK(o.common.console.digest == std::optional<std::string>("-"));
  const SendOptions last = send({"a", "zs://host", "--json"});
  CHECK(last.sources == Words{"a"});
  CHECK(recv({"--json", "zs://host", "dir"}).destination == "dir");
}

TEST_CASE("options: a new key needs nothing else") {
  CHECK(send({"--new-key", "k"}).common.new_key == std::optional<std::string>("k"));
  CHECK(recv({"--new-key=k"}).common.new_key == std::optional<std::string>("k"));
  CHECK(send_outcome({"--new-key"}) == "usage");
}

TEST_CASE("options: help and version are answered on stdout") {
  std::ostringstream shown;
  std::streambuf* const old = std::cout.rdbuf(shown.rdbuf());
  const std::string send_version = send_outcome({"--version"});
  const std::string recv_version = recv_outcome({"--version"});
  const std::string version = shown.str();
  shown.str("");
  const std::string send_help = send_outcome({"--help"});
  const std::string recv_help = recv_outcome({"--help"});
  std::cout.rdbuf(old);
  CHECK(send_version == "answered");
  CHECK(recv_version == "answered");
  CHECK(send_help == "answered");
  CHECK(recv_help == "answered");
  CHECK_THAT(version, Catch::Contains("zsend " ZX_VERSION) && Catch::Contains("zrecv " ZX_VERSION));
  for (const char* option :
       {"--listen", "--key-file", "--plain", "--engine", "--durability", "--json"})
    CHECK_THAT(shown.str(), Catch::Contains(option));
}

// --- usage errors

TEST_CASE("options: unknown ones are usage errors") {
  for (const char* word : {"--nonsense", "--nonsense=1", "-Z", "-qZ", "--plai", "--PLAIN", "--key",
                           "--listn=1", "-plain", "--no-plain", "--=x"})
    check_usage_for_both({word});
}

TEST_CASE("options: a dash and a digit or a third dash does not make an operand") {
  // Taken as a file name it would be sent when there is such a file; "--" is for those.
  for (const char* word : {"-8", "-1", "-0", "-44Z", "---", "---plain"})
    check_usage_for_both({word});
  CHECK(send({"--", "-8", "zs://host"}).sources == Words{"-8"});
}

TEST_CASE("options: patterns are in the order of the command line, whatever their option") {
  const std::vector<FilterRule> wanted{{false, "[a,b]"}, {true, "c"}, {false, "d"}, {true, "e,f"}};
  for (const auto& common :
       both({"--exclude", "[a,b]", "--include=c", "--exclude=d", "--include", "e,f"}))
    CHECK(common.filter == wanted);
  check_usage_for_both({"--exclude"});
  check_usage_for_both({"--exclude=[a"});
  check_usage_for_both({"--include=!a"});
}

TEST_CASE("options: -L of a fetch is for ssh, where the operator is the same") {
  CHECK(recv({"-L", "host:f", "dir"}).common.dereference);
  CHECK(recv_outcome({"-L", "zs://host", "dir"}) == "usage");
  CHECK(recv_outcome({"--listen", "1", "-L", "dir"}) == "usage");
  CHECK(send({"-L", "-x", "f", "zs://host"}).common.one_file_system);
}

TEST_CASE("options: those of later versions are usage errors and never accepted") {
  for (const Words& words : {
           Words{"-C"},
           Words{"--compress"},
           Words{"--compress=auto"},
           Words{"--compress=3"},
           Words{"--tls-cert=f"},
           Words{"--tls-key=f"},
           Words{"--tls-ca=f"},
           Words{"--ktls"},
           Words{"--resume"},
           Words{"--no-resume"},
           Words{"--verify=memory"},
       })
    check_usage_for_both(words);
}

TEST_CASE("options: those of ssh need an operand for ssh") {
  for (const Words& words :
       {Words{"-P", "22"}, Words{"-P22"}, Words{"-i", "id"}, Words{"-F", "config"},
        Words{"-J", "jump"}, Words{"-o", "Opt=1"}, Words{"-S", "ssh"}, Words{"--via=auto"},
        Words{"--port-range=7000-7010"}, Words{"--remote-program=x"}}) {
    check_usage_for_both(words);
    INFO(joined(words));
    Words push = words, pull = words;
    push.insert(push.end(), {"file", "host:path"});
    pull.insert(pull.end(), {"host:path", "dir"});
    CHECK(send_outcome(push) == "accepted");
    CHECK(recv_outcome(pull) == "accepted");
  }
  for (const Words& words :
       {Words{"--key-file=k"}, Words{"--wait=1"}, Words{"--remote"},
        Words{"--tls-cert=a", "--tls-key=b", "--tls-ca=c"}, Words{"-P0"}, Words{"-P", "1-2"},
        Words{"-Px"}, Words{"--port-range=2-1"}, Words{"--port-range=0-1"},
        Words{"--port-range=1-65536"}, Words{"--port-range=x"}, Words{"--via=tcp"},
        Words{"--remote-program=-x"}, Words{"--remote-program=a\nb"}}) {
    INFO(joined(words));
    Words push = words, pull = words;
    push.insert(push.end(), {"file", "host:path"});
    pull.insert(pull.end(), {"host:path", "dir"});
    CHECK(send_outcome(push) == "usage");
    CHECK(recv_outcome(pull) == "usage");
  }
}

TEST_CASE("options: what ssh gets, in the order in which it was written") {
  const SendOptions o = send({"-i", "id", "-4", "-oA=1", "-P", "2222", "-o", "B=[x,y]", "-F", "f",
                              "-J", "j1,j2", "-i", "other", "-S", "./myssh", "file", "me@box:d/e"});
  REQUIRE(o.ssh);
  CHECK(o.common.ssh.ssh.program == "./myssh");
  CHECK(ssh_arguments(o.common.ssh.ssh, *o.ssh, "zrecv --remote") ==
        Words{"./myssh",
              "-x",
              "-oPermitLocalCommand=no",
              "-oClearAllForwardings=yes",
              "-oForwardAgent=no",
              "-oRemoteCommand=none",
              "-oRequestTTY=no",
              "-i",
              "id",
              "-o",
              "A=1",
              "-o",
              "B=[x,y]",
              "-F",
              "f",
              "-J",
              "j1,j2",
              "-i",
              "other",
              "-p",
              "2222",
              "-4",
              "--",
              "me@box",
              "zrecv --remote"});
  CHECK(o.ssh->path == "d/e");
  const RecvOptions p = recv({"ssh://me@box:2200/a", "ssh://me@box:2200//b", "dir"});
  REQUIRE(p.ssh);
  CHECK(p.ssh->port == 2200);
  CHECK(p.ssh_paths == Words{"/a", "//b"});
  CHECK(p.destination == "dir");
}

TEST_CASE("options: --remote comes alone") {
  CHECK(send_outcome({"--remote", "x"}) == "usage");
  CHECK(recv_outcome({"--remote", "-v"}) == "usage");
  CHECK(recv_outcome({"-v", "--remote"}) == "usage");
}

TEST_CASE("options: bad values are usage errors") {
  for (const Words& words : {
           Words{"--timeout=0"},
           Words{"--timeout=-1"},
           Words{"--timeout=1000001"},
           Words{"--timeout=1.5x"},
           Words{"--timeout=5w"},
           Words{"--timeout="},
           Words{"--timeout=x"},
           Words{"--timeout=99999999999999999999"},
           Words{"--wait=-1"},
           Words{"--wait=1000001"},
           Words{"--wait=x"},
           Words{"--block-size=0"},
           Words{"--block-size=1048575"},
           Words{"--block-size=17M"},
           Words{"--block-size=16777217"},
           Words{"--block-size=8Mb"},
           Words{"--block-size=x"},
           Words{"--block-size=-8M"},
           Words{"--block-size=20000000T"},
           Words{"--bwlimit=0"},
           Words{"--bwlimit=1023"},
           Words{"--bwlimit=1Mbit"},
           Words{"--bwlimit=-1M"},
           Words{"--bwlimit=x"},
           Words{"--bwlimit=99999999999T"},
           Words{"--durability=disk"},
           Words{"--durability="},
           Words{"--overwrite=yes"},
           Words{"--overwrite=Always"},
           Words{"--progress=1"},
           Words{"--progress"},
           Words{"--engine="},
           Words{"--engine=auto,readwrite"},
           Words{"--ktls=1"},
           Words{"--plain=maybe"},
       })
    check_usage_for_both(words);
}

TEST_CASE("options: an empty value is a usage error and not the default") {
  // As from --key-file "$FILE" with FILE unset.
  for (const char* name :
       {"--listen", "--key-file", "--new-key", "--block-size", "--bwlimit", "--timeout", "--wait",
        "--engine", "--ktls", "--durability", "--overwrite", "--progress"})
    check_usage_for_both({name, ""});
}

TEST_CASE("options: an empty value does not take the next word") {
  // With --json= that word would be a source, opened for writing.
  for (const char* name : {"--json=", "--digest=", "--key-file=", "--new-key=", "--listen=",
                           "--block-size=", "--engine=", "--timeout="}) {
    INFO(name);
    CHECK(send_outcome({name, "a", "b", "zs://host"}) == "usage");
    CHECK(recv_outcome({name, "a", "zs://host", "dir"}) == "usage");
  }
}

TEST_CASE("zrecv options: --inplace is of the receiver, and names what it writes into") {
  CHECK(recv({"--listen=0", "--inplace", "file"}).inplace);
  CHECK(recv({"--inplace", "zs://host", "file"}).inplace);
  CHECK_FALSE(recv({"zs://host", "file"}).inplace);
  CHECK(recv_outcome({"--listen=0", "--inplace"}) == "usage");
  CHECK(recv_outcome({"--inplace", "--overwrite=never", "zs://host", "file"}) == "usage");
  CHECK(send_outcome({"--inplace", "file", "zs://host"}) == "usage");
}

TEST_CASE("options: contradictions are usage errors") {
  check_usage_for_both({"-4", "-6"});
  check_usage_for_both({"-46"});
  check_usage_for_both({"--no-auth"});
  check_usage_for_both({"--plain", "--no-auth", "--key-file=k"});
  CHECK(send_outcome({"--listen=0", "a", "zs://host"}) == "usage");
  CHECK(recv_outcome({"--listen=0", "zs://host", "dir"}) == "usage");
}

TEST_CASE("options: one that takes a single value is not given twice") {
  check_usage_for_both({"--key-file=a", "--key-file=b"});
  check_usage_for_both({"--block-size=1M", "--block-size=2M"});
}

TEST_CASE("options: a message shows no raw control of what was written") {
  SendOptions out;
  for (const Words& words :
       {Words{"--engine=\x1b[2J"}, Words{"--\x1b[2J"}, Words{"--block-size=\x1b[2J"},
        Words{"--timeout=\x1b[2J"}, Words{"--listen=\x1b[2J"}}) {
    INFO(words[0].substr(0, 5));
    CHECK_THROWS_WITH(parse(with_operands(words, true), &out), !Catch::Contains("\x1b"));
  }
}

// --- what follows from the options

TEST_CASE("the option --streams: from 1 to 16, or auto") {
  for (const auto& o : both({})) CHECK(o.streams == 0);
  for (const auto& o : both({"--streams=auto"})) CHECK(o.streams == 0);
  for (const auto& o : both({"--streams", "1"})) CHECK(o.streams == 1);
  for (const auto& o : both({"--streams=16"})) CHECK(o.streams == 16);
  CHECK(make_terms(both({"--streams=5"})[0], "zsend").streams == 5);
  for (const char* bad :
       {"0", "17", "-1", "1K", "4.0", " 4", "many", "Auto", "99999999999999999999"}) {
    SendOptions sent;
    RecvOptions received;
    INFO(bad);
    const Words words{std::string("--streams=") + bad};
    CHECK(outcome(with_operands(words, true), &sent) == "usage");
    CHECK(outcome(with_operands(words, false), &received) == "usage");
  }
}

TEST_CASE("make_terms: this side's wishes") {
  const Terms none = make_terms(both({})[0], "zsend");
  CHECK(none.block_bytes == kDefaultBlockBytes);
  CHECK(none.durability == Durability::Unset);
  CHECK(none.overwrite == Overwrite::Unset);
  CHECK(none.rate_limit == 0);
  CHECK_FALSE(none.file_digest);
  CHECK_FALSE(none.preserve);
  CHECK_FALSE(none.no_target_directory);
  CHECK(none.build == "zsend " ZX_VERSION);
  const Terms all = make_terms(both({"--block-size=2M", "--durability=none", "--overwrite=older",
                                     "--digest", "-p", "-T"})[0],
                               "zrecv");
  CHECK(all.block_bytes == 2 << 20);
  CHECK(all.durability == Durability::None);
  CHECK(all.overwrite == Overwrite::Older);
  CHECK(all.file_digest);
  CHECK(all.preserve);
  CHECK(all.no_target_directory);
}

TEST_CASE("make_security: where the key comes from") {
  unsetenv("ZXFER_KEY");
  std::string one_time;
  const Security listening =
      make_security(recv({"--listen", "0"}).common, std::nullopt, "zrecv", &one_time);
  CHECK(listening.mode == Mode::TlsPsk);
  REQUIRE(listening.key);
  CHECK(listening.key->text() == one_time);

  const Key key = Key::generate();
  REQUIRE(setenv("ZXFER_KEY", key.text().c_str(), 1) == 0);
  one_time.clear();
  const Security given =
      make_security(recv({"--listen", "0"}).common, std::nullopt, "zrecv", &one_time);
  REQUIRE(given.key);
  CHECK(given.key->text() == key.text());
  CHECK(one_time.empty());
  CHECK(getenv("ZXFER_KEY") == nullptr);

  REQUIRE(setenv("ZXFER_KEY", key.text().c_str(), 1) == 0);
  const Security open =
      make_security(both({"--plain", "--no-auth"})[0], std::nullopt, "zsend", &one_time);
  CHECK(open.mode == Mode::Plain);
  CHECK(open.no_auth);
  CHECK_FALSE(open.key);
  CHECK(getenv("ZXFER_KEY") == nullptr);  // taken out also when it is not needed

  REQUIRE(setenv("ZXFER_KEY", key.text().c_str(), 1) == 0);
  const Security plain = make_security(both({"--plain"})[0], std::nullopt, "zsend", &one_time);
  CHECK(plain.mode == Mode::Plain);
  CHECK_FALSE(plain.no_auth);
  REQUIRE(plain.key);
}

TEST_CASE("certificates: the three files go together, and with neither key nor --plain") {
  for (const auto& o : both({"--tls-cert=c", "--tls-key=k", "--tls-ca=a"})) {
    REQUIRE(o.certificates);
    CHECK(o.certificates->certificate == "c");
    CHECK(o.certificates->key == "k");
    CHECK(o.certificates->authority == "a");
  }
  for (const Words& words :
       {Words{"--tls-cert=c"}, Words{"--tls-cert=c", "--tls-key=k"}, Words{"--tls-ca=a"},
        Words{"--tls-cert=c", "--tls-key=k", "--tls-ca=a", "--plain"},
        Words{"--tls-cert=c", "--tls-key=k", "--tls-ca=a", "--key-file=f"},
        Words{"--ktls=on", "--plain"}, Words{"--rekey-after=1"}, Words{"--rekey-after=256G"},
        Words{"--tls-cipher=rc4"}}) {
    SendOptions sent;
    RecvOptions received;
    INFO(words.front());
    CHECK(outcome(with_operands(words, true), &sent) == "usage");
    CHECK(outcome(with_operands(words, false), &received) == "usage");
  }
}

TEST_CASE("make_security: --ktls=on is refused where the kernel cannot") {
  std::string one_time;
  setenv("ZXFER_KEY", Key::generate().text().c_str(), 1);
  const CommonOptions options = both({"--ktls=on"})[0];
  const bool possible = ktls_obstacle(suite_of(kSuiteAes128Gcm), Ktls::On).empty();
  if (possible)
    CHECK(make_security(options, std::nullopt, "zsend", &one_time).ktls == Ktls::On);
  else
    CHECK_THROWS_WITH(make_security(options, std::nullopt, "zsend", &one_time),
                      Catch::Contains("--ktls=on: "));
  unsetenv("ZXFER_KEY");
}

}  // namespace
}  // namespace zx
