// SPDX-License-Identifier: MIT
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/unit/options_fixture.h"

namespace zx {
TEST_CASE("zrecv options: standard output and commands as destination") {
  for (const Words& words :
       {Words{"zs://host", "-"}, Words{"--listen", "0", "-"}, Words{"--listen", "0", "--", "-"}}) {
    INFO(joined(words));
    const RecvOptions o = recv(words);
    CHECK(o.to_stdout);
    CHECK(o.to_pipe());
    CHECK_FALSE(o.exec);
    CHECK_FALSE(o.verify_first);
  }
  for (const Words& words :
       {Words{"--exec", "tar x", "zs://host"}, Words{"--exec=tar x", "--listen", "0"}}) {
    INFO(joined(words));
    const RecvOptions o = recv(words);
    CHECK_FALSE(o.to_stdout);
    CHECK(o.to_pipe());
    CHECK(o.exec == std::optional<std::string>("tar x"));
  }
  CHECK(recv({"--verify-first", "zs://host", "-"}).verify_first);
  CHECK(recv({"--verify-first", "--exec=sh", "zs://host"}).verify_first);
  CHECK_FALSE(recv({"--listen", "0", "./-"}).to_pipe());
  CHECK(recv({"--listen", "0", "./-"}).destination == "./-");
}

TEST_CASE("zrecv options: what a stream cannot have is a usage error") {
  for (const Words& words : {Words{"--json", "zs://h", "-"},
                             Words{"--json=-", "zs://h", "-"},
                             Words{"--digest", "zs://h", "-"},
                             Words{"-T", "zs://h", "-"},
                             Words{"-p", "zs://h", "-"},
                             Words{"--overwrite=never", "zs://h", "-"},
                             Words{"--overwrite=always", "zs://h", "-"},
                             Words{"--durability=batch", "zs://h", "-"},
                             Words{"--durability=file", "zs://h", "-"},
                             Words{"-T", "--exec=cat", "zs://h"},
                             Words{"-p", "--exec=cat", "zs://h"},
                             Words{"--overwrite=older", "--exec=cat", "zs://h"},
                             Words{"--durability=file", "--exec=cat", "--listen", "0"},
                             Words{"-", "zs://h"},
                             Words{"--exec=cat", "zs://h", "dir"},
                             Words{"--exec=cat", "zs://h", "-"},
                             Words{"--exec=cat", "--listen", "0", "-"},
                             Words{"--exec=cat"},
                             Words{"--exec=", "zs://h"},
                             Words{"--verify-first", "zs://h", "dir"},
                             Words{"--verify-first", "--listen", "0"}}) {
    INFO(joined(words));
    RecvOptions out;
    CHECK(outcome(words, &out) == "usage");
  }
  for (const Words& words :
       {Words{"--json=f", "--digest=g", "zs://h", "-"}, Words{"--durability=none", "zs://h", "-"},
        Words{"--json", "--exec=cat >f", "zs://h"}, Words{"--engine=splice", "zs://h", "-"}}) {
    INFO(joined(words));
    (void)recv(words);
  }
}

}  // namespace zx
