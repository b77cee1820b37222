// SPDX-License-Identifier: MIT
// What is said over ssh before a session: requests, replies among noise, commands.
#include "common/session/start_dialogue.h"

#include <catch2/catch.hpp>

#include "common/base/error.h"
#include "tests/unit/outcome.h"

namespace zx {
namespace {

using Kind = StartReply::Kind;
const std::string kNonce = "00112233445566778899aabbccddeeff";

struct Scan {
  std::vector<std::string> noise;
  ReplyScanner scanner{kNonce, [this](std::string_view line) { noise.emplace_back(line); }};
  // Fed in pieces; the first reply.
  std::optional<StartReply> feed(const std::string& text, size_t piece = SIZE_MAX) {
    for (size_t at = 0; at < text.size(); at += std::min(piece, text.size() - at)) {
      scanner.feed(std::string_view(text).substr(at, piece));
      if (auto reply = scanner.next()) return reply;
    }
    return std::nullopt;
  }
};

const std::string kReady = "zxfer-ready 2 " + kNonce + " 4711 192.0.2.1\n";

TEST_CASE("start: a reply is found wherever the reads cut it") {
  for (size_t piece = 1; piece < 100; ++piece) {
    INFO(piece);
    Scan scan;
    const auto reply = scan.feed("motd\n" + kReady, piece);
    REQUIRE(reply);
    CHECK(reply->kind == Kind::Ready);
    CHECK(reply->port == 4711);
    CHECK(reply->server == "192.0.2.1");
    CHECK(scan.noise == std::vector<std::string>{"motd"});
  }
}

TEST_CASE("start: what is not exactly a reply with our nonce is noise") {
  const std::string other = "ff112233445566778899aabbccddeeff";
  for (const std::string& line :
       {"zxfer-ready 2 " + other + " 4711 192.0.2.1", "zxfer-ready 2 " + kNonce,
        "zxfer-ready 2 " + kNonce + " 4711", "zxfer-ready 2 " + kNonce + " 4711 192.0.2.1 ",
        "zxfer-ready 2 " + kNonce + "  4711 192.0.2.1",
        "zxfer-ready 2 " + kNonce + " 4711 192.0.2.1\r",
        " zxfer-ready 2 " + kNonce + " 4711 192.0.2.1",
        "xzxfer-ready 2 " + kNonce + " 4711 192.0.2.1",
        "zxfer-readyx 1 " + kNonce + " 4711 192.0.2.1",
        "zxfer-ready 2 " + kNonce + " 65536 192.0.2.1", "zxfer-ready 2 " + kNonce + " -1 192.0.2.1",
        "zxfer-ready 2 " + kNonce + " 4711 host.example",
        "zxfer-ready 2 " + kNonce + " 4711 192.0.2.1%\x1b[2J",
        "zxfer-ready x " + kNonce + " 4711 192.0.2.1", "zxfer-ready 3 " + other + " 4711 192.0.2.1",
        "zxfer-error 2 " + kNonce + " 0 fine", "zxfer-error 2 " + kNonce + " x text",
        "zxfer-through 2 " + kNonce + " x", std::string("zxfer-ready\0", 12)}) {
    INFO(line);
    Scan scan;
    CHECK_FALSE(scan.feed(line + "\n"));
    CHECK(scan.noise == std::vector<std::string>{line});
    CHECK(scan.feed(kReady));
  }
}

TEST_CASE("start: replies as they are written are read, after an open line too") {
  const StartReply replies[] = {
      {.kind = Kind::Ready, .port = 1, .server = "fe80::1%eth0"},
      {.kind = Kind::Ready},
      {.kind = Kind::Error, .status = ExitStatus::NoSpace, .text = "two\nlines \x1b[2J"},
      {.kind = Kind::Failed, .text = ""},
      {.kind = Kind::Failed, .text = "a b  c"},
      {.kind = Kind::Through}};
  for (const StartReply& reply : replies) {
    const std::string text = encode_reply(reply, kNonce);
    INFO(text);
    Scan scan;
    const auto got = scan.feed("\x1b]0;title\x07" + text);
    REQUIRE(got);
    CHECK(got->kind == reply.kind);
    CHECK(got->port == reply.port);
    CHECK(got->server == reply.server);
    CHECK(got->status == reply.status);
    CHECK(got->text == (reply.kind == Kind::Error ? "two\\nlines \\x1b[2J" : reply.text));
  }
  Scan both;
  CHECK(both.feed(encode_reply(replies[3], kNonce) + encode_reply(replies[5], kNonce))->kind ==
        Kind::Failed);
  CHECK(both.scanner.next()->kind == Kind::Through);
  CHECK_FALSE(both.scanner.next());
}

TEST_CASE("start: another version is told from noise by the nonce") {
  Scan scan;
  CHECK(outcome([&] { scan.feed("zxfer-ready 3 " + kNonce + " what ever comes\n"); }) ==
        "protocol");
}

TEST_CASE("start: an error of an unknown class is a protocol error") {
  Scan scan;
  CHECK(scan.feed("zxfer-error 2 " + kNonce + " 99 text\n")->status == ExitStatus::Protocol);
}

TEST_CASE("start: noise is bounded, with line ends and without") {
  const size_t most = kMaxNoiseBytes - kReady.size();
  Scan lines, open_line;
  std::string text;
  while (text.size() + 80 < most) text += std::string(79, 'x') + "\n";
  CHECK(lines.feed(text + kReady, 1000));
  CHECK(open_line.feed(std::string(most - 1, 'x') + "\n" + kReady, 4096));
  for (const std::string& unit :
       {std::string("x"), std::string("\n"), std::string(79, 'x') + "\n"}) {
    INFO(unit);
    Scan scan;
    size_t fed = 0;
    CHECK(outcome([&] {
            for (; fed < 10 << 20; fed += unit.size()) {
              scan.scanner.feed(unit);
              if (fed % 1024 < unit.size()) (void)scan.scanner.next();
            }
          }) == "protocol");
    CHECK(fed <= kMaxNoiseBytes + 2048);
  }
}

// --- requests

StartRequest some_request() {
  StartRequest r;
  r.nonce = kNonce;
  r.key = Key::generate();
  r.role = Role::Receiver;
  r.plain = true;
  r.ktls = Ktls::Off;
  r.family = Family::V6;
  r.ports = {7000, 7010};
  r.idle = std::chrono::seconds(5);
  r.listen = false;
  return r;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    const size_t end = text.find('\n', at);
    out.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return out;
}

void read(RequestReader& reader, const std::vector<std::string>& lines) {
  for (size_t i = 0; i < lines.size(); ++i)
    if (reader.take(lines[i]) != (i + 1 == lines.size()))
      throw Error(ExitStatus::Internal, "ended at another line");
}

TEST_CASE("start: a request is read as it was written") {
  StartRequest named = some_request();
  named.named.operands = {"a b", "/c\n%41", std::string("\xff\x01"), "end"};
  named.named.names = {".", "\xc3\xa4"};
  for (const StartRequest& r :
       {some_request(), named,
        StartRequest{.nonce = kNonce, .key = Key::generate(), .role = Role::Sender}}) {
    RequestReader reader;
    const std::string text = encode_request(r);
    read(reader, lines_of(text));
    const StartRequest& got = reader.request();
    CHECK(got.nonce == r.nonce);
    CHECK(got.key->text() == r.key->text());
    CHECK(got.role == r.role);
    CHECK(got.plain == r.plain);
    CHECK(got.named.operands == r.named.operands);
    CHECK(got.named.names == r.named.names);
    CHECK(got.ktls == r.ktls);
    CHECK(got.family == r.family);
    CHECK(got.ports.first == r.ports.first);
    CHECK(got.ports.last == r.ports.last);
    CHECK(got.idle == r.idle);
    CHECK(got.listen == r.listen);
  }
}

TEST_CASE("start: each line of a request is needed, in its place and with a value it can have") {
  const auto good = lines_of(encode_request(some_request()));
  for (size_t i = 0; i < good.size(); ++i) {
    INFO(i);
    const size_t space = good[i].find(' ');
    const std::string key = good[i].substr(0, space);
    for (const std::string& line : {std::string(), key, key + " ", key + " nonsense", good[i] + " ",
                                    good[i] + "x", " " + good[i], good[i] + "\r"}) {
      if (line == good[i]) continue;
      INFO(line);
      auto bad = good;
      bad[i] = line;
      RequestReader reader;
      const std::string got = outcome([&] { read(reader, bad); });
      CHECK((got != "no error" && got != "internal"));
    }
    auto missing = good;
    missing.erase(missing.begin() + static_cast<std::ptrdiff_t>(i));
    RequestReader reader;
    CHECK(outcome([&] { read(reader, missing); }) != "no error");
  }
}

TEST_CASE("start: operands and names are whole paths and not too many") {
  const auto with = [](const std::vector<std::string>& more) {
    auto lines = lines_of(encode_request(some_request()));
    lines.insert(lines.end() - 1, more.begin(), more.end());
    RequestReader reader;
    return outcome([&] { read(reader, lines); });
  };
  CHECK(with({"operand a", "name b"}) == "no error");
  CHECK(with(std::vector<std::string>(1024, "operand x")) == "no error");
  CHECK(with(std::vector<std::string>(1025, "operand x")) == "protocol");
  CHECK(with(std::vector<std::string>(40, "operand " + std::string(4000, 'x'))) == "protocol");
  for (const char* line : {"operand ", "operand %", "operand %4", "operand %4g", "operand %00",
                           "name ", "names x", "operands x", " operand x"})
    CHECK(with({line}) == "protocol");
  CHECK(with({"operand " + std::string(4096, 'x')}) == "protocol");
}

TEST_CASE("start: no error about a request has the key in it") {
  const StartRequest r = some_request();
  const std::string secret = r.key->text().substr(4, 20);
  const auto good = lines_of(encode_request(r));
  for (size_t i = 0; i < good.size(); ++i)
    for (const std::string& line : {good[2], good[2] + "x", "x" + good[2], r.key->text()}) {
      auto bad = good;
      bad[i] = line;
      if (bad == good) continue;
      RequestReader reader;
      try {
        read(reader, bad);
        FAIL("accepted");
      } catch (const Error& e) {
        INFO(i);
        CHECK(std::string(e.what()).find(secret) == std::string::npos);
      }
    }
}

TEST_CASE("start: a request of another version is told so after its nonce") {
  auto lines = lines_of(encode_request(some_request()));
  lines[0] = "zxfer-start 3";
  RequestReader reader;
  CHECK_FALSE(reader.take(lines[0]));
  CHECK(outcome([&] { reader.take(lines[1]); }) == "protocol");
  CHECK(reader.nonce() == kNonce);
}

// --- the rest

TEST_CASE("start: commands") {
  const auto read_back = [](StartCommand c) {
    std::string line = encode_command(c);
    CHECK(line.back() == '\n');
    line.pop_back();
    return decode_command(line);
  };
  CHECK(read_back(std::nullopt) == std::nullopt);
  CHECK(read_back(65535) == 65535);
  for (const char* line : {"", "through ", "back", "back ", "back 0", "back 65536", "back 1 ",
                           "back -1", "Back 1", "exec 1"}) {
    INFO(line);
    CHECK(outcome([&] { (void)decode_command(line); }) == "protocol");
  }
}

TEST_CASE("start: the addresses of SSH_CONNECTION") {
  const char* both = "192.0.2.7 50000 2001:db8::1 22";
  CHECK(ssh_connection_address(both, false) == "192.0.2.7");
  CHECK(ssh_connection_address(both, true) == "2001:db8::1");
  for (const char* text : {static_cast<const char*>(nullptr), "", "a b c d", "1.2.3.4", "   "})
    CHECK(ssh_connection_address(text, true).empty());
}

TEST_CASE("start: the other end sends us to no address but those of its name") {
  using Names = std::vector<std::string>;
  const Names name{"192.0.2.1", "2001:db8::1"};
  const struct {
    const char* server;
    Names of_name, wanted;
    Family family = Family::Any;
  } rows[] = {
      {"192.0.2.1", name, {"192.0.2.1"}},
      {"2001:db8::1", name, {"2001:db8::1"}},
      {"192.0.2.1", name, name, Family::V6},
      {"", name, name},
      // Somebody else, and this machine.
      {"192.0.2.9", name, name},
      {"127.0.0.1", name, name},
      {"::1", name, name},
      // Unless the name is this machine itself.
      {"127.0.0.1", {"127.0.0.1"}, {"127.0.0.1"}},
      {"::1", {"127.0.0.1", "::1"}, {"::1"}},
      {"10.0.0.5", {"127.0.0.1"}, {"127.0.0.1"}},
      {"",
       {"1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5"},
       {"1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"}},
      // A name that only a jump host knows.
      {"10.0.0.5", {}, {"10.0.0.5"}},
      {"2001:db8::1", {}, {"2001:db8::1"}},
      {"10.0.0.5", {}, {}, Family::V6},
      {"", {}, {}},
  };
  for (const auto& row : rows) {
    INFO(row.server << " " << row.of_name.size());
    CHECK(data_addresses(row.server, row.of_name, row.family) == row.wanted);
  }
  for (const char* server :
       {"127.0.0.1", "127.9.9.9", "0.0.0.0", "0.1.2.3", "169.254.1.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%lo", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:0.0.0.0", "::ffff:169.254.0.1"}) {
    INFO(server);
    CHECK(data_addresses(server, {}, Family::Any).empty());
  }
}

TEST_CASE("start: nonces differ") {
  CHECK(make_nonce().size() == 32);
  CHECK(make_nonce() != make_nonce());
}

}  // namespace
}  // namespace zx
