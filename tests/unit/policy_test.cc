// SPDX-License-Identifier: MIT
// The policy as a table: every combination of facts and what follows from it.
#include "common/engine/policy.h"

#include <catch2/catch.hpp>

namespace zx {
namespace {

constexpr std::nullopt_t kAuto = std::nullopt;
constexpr size_t kPipe = 1 << 20;

// What the reason has to say; "" means that there is none.
void check_why(const std::string& why, const std::string& expected) {
  if (expected.empty())
    CHECK(why.empty());
  else
    CHECK_THAT(why, Catch::Contains(expected));
}

TEST_CASE("policy of the sender: complete table") {
  struct {
    bool descriptor;
    std::optional<Engine> asked;
    Engine engine;
    const char* why;
  } const rows[] = {
      {true, kAuto, Engine::Sendfile, ""},
      {true, Engine::Sendfile, Engine::Sendfile, ""},
      {true, Engine::ReadWrite, Engine::ReadWrite, "asked for by --engine"},
      {false, kAuto, Engine::ReadWrite, "user space"},
      {false, Engine::Sendfile, Engine::ReadWrite,
       "sendfile was asked for, but the TLS record layer"},
      {false, Engine::ReadWrite, Engine::ReadWrite, "asked for by --engine"},
  };
  for (const auto& row : rows) {
    const Choice choice = choose_send_engine({row.descriptor, row.asked});
    INFO("descriptor " << row.descriptor << " asked "
                       << (row.asked ? engine_name(*row.asked) : "auto"));
    CHECK(engine_name(choice.engine) == std::string(engine_name(row.engine)));
    check_why(choice.why, row.why);
  }
}

TEST_CASE("policy of the receiver: complete table") {
  struct {
    bool descriptor;
    size_t pipe;
    std::optional<Engine> asked;
    Engine engine;
    const char* why;
  } const rows[] = {
      {true, kPipe, kAuto, Engine::Splice, ""},
      {true, kPipe, Engine::Splice, Engine::Splice, ""},
      {true, kPipe, Engine::ReadWrite, Engine::ReadWrite, "asked for by --engine"},
      {true, kMinSplicePipeBytes, kAuto, Engine::Splice, ""},
      {true, kMinSplicePipeBytes - 1, kAuto, Engine::ReadWrite, "65535 bytes"},
      {true, kMinSplicePipeBytes - 1, Engine::Splice, Engine::ReadWrite,
       "splice was asked for, but a pipe here holds only 65535 bytes"},
      {true, 0, kAuto, Engine::ReadWrite, "pipe"},
      {true, 0, Engine::Splice, Engine::ReadWrite, "splice was asked for, but"},
      {true, 0, Engine::ReadWrite, Engine::ReadWrite, "asked for by --engine"},
      {false, kPipe, kAuto, Engine::ReadWrite, "user space"},
      {false, kPipe, Engine::Splice, Engine::ReadWrite,
       "splice was asked for, but the TLS record layer"},
      {false, kPipe, Engine::ReadWrite, Engine::ReadWrite, "asked for by --engine"},
      {false, 0, kAuto, Engine::ReadWrite, "user space"},
      {false, 0, Engine::Splice, Engine::ReadWrite,
       "splice was asked for, but the TLS record layer"},
      {false, 0, Engine::ReadWrite, Engine::ReadWrite, "asked for by --engine"},
  };
  for (const auto& row : rows) {
    const Choice choice = choose_recv_engine({row.descriptor, row.pipe, row.asked});
    INFO("descriptor " << row.descriptor << " pipe " << row.pipe << " asked "
                       << (row.asked ? engine_name(*row.asked) : "auto"));
    CHECK(engine_name(choice.engine) == std::string(engine_name(row.engine)));
    check_why(choice.why, row.why);
  }
}

TEST_CASE("policy: whatever is not the best path has a reason") {
  for (bool descriptor : {false, true})
    for (std::optional<Engine> asked :
         {std::optional<Engine>(), std::optional(Engine::Sendfile), std::optional(Engine::Splice),
          std::optional(Engine::ReadWrite)}) {
      const Choice send = choose_send_engine({descriptor, asked});
      CHECK(send.why.empty() == (send.engine == Engine::Sendfile));
      for (size_t pipe : {size_t{0}, kMinSplicePipeBytes - 1, kMinSplicePipeBytes, kPipe}) {
        const Choice receive = choose_recv_engine({descriptor, pipe, asked});
        CHECK(receive.why.empty() == (receive.engine == Engine::Splice));
      }
    }
}

TEST_CASE("policy: names of engines are the words of --engine") {
  CHECK(engine_name(Engine::Sendfile) == std::string("sendfile"));
  CHECK(engine_name(Engine::Splice) == std::string("splice"));
  CHECK(engine_name(Engine::ReadWrite) == std::string("readwrite"));
}

}  // namespace
}  // namespace zx
