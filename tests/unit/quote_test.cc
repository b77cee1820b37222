// SPDX-License-Identifier: MIT
#include "common/base/quote.h"

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <string>

namespace zx {
namespace {

using namespace std::string_literals;

struct Row {
  std::string bytes, shown;
};

TEST_CASE("escape: what a terminal can show stays as it is") {
  for (const std::string& text :
       {""s, "plain name.txt"s, "Gr\xc3\xbc\xc3\x9f Gott"s, "\xe6\x97\xa5\xe6\x9c\xac"s,
        "\xf0\x9f\x93\x84"s, "a'b\"c"s, "~$`!*?[]{}"s})
    CHECK(escape(text) == text);
}

TEST_CASE("escape: what a terminal acts on or hides becomes hexadecimal") {
  const Row rows[] = {
      {"a\nb", "a\\nb"},
      {"a\tb", "a\\tb"},
      {"a\\b", "a\\\\b"},
      {"a\rb", "a\\x0db"},
      {"\x1b[2J", "\\x1b[2J"},
      {"a\0b"s, "a\\x00b"},
      {"\a\b", "\\x07\\x08"},
      {"\x1f", "\\x1f"},
      {"\x7f", "\\x7f"},  // DEL
      {"\x9b"
       "2J",
       "\\x9b2J"},  // CSI as one raw byte: not UTF-8
      {"\xc2\x9b"
       "2J",
       "\\xc2\\x9b2J"},  // CSI as U+009B
      {"\xc2\x80\xc2\x9f", "\\xc2\\x80\\xc2\\x9f"},
      {"\xc2\xad", "\\xc2\\xad"},                                      // soft hyphen
      {"\xd8\x9c", "\\xd8\\x9c"},                                      // Arabic letter mark
      {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},                             // zero-width space
      {"\xe2\x80\x8d", "\\xe2\\x80\\x8d"},                             // zero-width joiner
      {"\xe2\x80\x8f", "\\xe2\\x80\\x8f"},                             // right-to-left mark
      {"\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"},  // line, paragraph separator
      {"\xe2\x80\xae"
       "gpj.exe",
       "\\xe2\\x80\\xaegpj.exe"},                                      // right-to-left override
      {"\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9"},  // isolates
      {"\xe2\x81\xa0", "\\xe2\\x81\\xa0"},                             // word joiner
      {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},                             // byte order mark
      {"\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"},                    // tag letter A
  };
  for (const Row& row : rows) CHECK(escape(row.bytes) == row.shown);
}

TEST_CASE("escape: no C0 or C1 control and no DEL comes through in any form") {
  for (int c = 0; c < 0x100; ++c) {
    const std::string out = escape(std::string(1, static_cast<char>(c)));
    INFO(c);
    const bool printable = c >= 0x20 && c < 0x7f && c != '\\';
    CHECK((out == std::string(1, static_cast<char>(c))) == printable);
    for (char o : out) CHECK((o >= 0x20 && o < 0x7f));
  }
  for (int c = 0x80; c < 0xa0; ++c) {
    const std::string utf8{'\xc2', static_cast<char>(c)};
    INFO(c);
    for (char o : escape(utf8)) CHECK((o >= 0x20 && o < 0x7f));
  }
}

TEST_CASE("escape: bytes that are not UTF-8 are shown one by one") {
  const Row rows[] = {
      {"\xff\xfe", "\\xff\\xfe"},
      {"\x80", "\\x80"},
      {"\xc3", "\\xc3"},    // cut short
      {"\xc3(", "\\xc3("},  // the second byte is none
      {"\xe2\x82", "\\xe2\\x82"},
      {"\xf0\x9f\x93", "\\xf0\\x9f\\x93"},
      {"\xc0\xaf", "\\xc0\\xaf"},  // overlong '/'
      {"\xc1\xbf", "\\xc1\\xbf"},
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},           // overlong in three
      {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},  // and in four
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // past U+10FFFF
      {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
      {"ok\xc3\xa9\xff", "ok\xc3\xa9\\xff"},
  };
  for (const Row& row : rows) CHECK(escape(row.bytes) == row.shown);
}

TEST_CASE("escape: longer input is cut and says so") {
  CHECK(escape("abcdef", 6) == "abcdef");
  CHECK(escape("abcdefg", 6) == "abcdef...");
  CHECK(escape("", 0).empty());
  CHECK(escape(std::string(4097, 'x')) == std::string(4096, 'x') + "...");
  CHECK(quote_peer_text("'a\\nb': \x1b") == "'a\\nb': \\x1b");  // it is quoted already
  CHECK(quote_peer_text(std::string(1024, 'x')) == std::string(1024, 'x'));
  CHECK(quote_peer_text(std::string(1025, 'x')) ==
        std::string(512, 'x') + "..." + std::string(512, 'x'));
}

TEST_CASE("quote: a quotation mark inside cannot end the quotation") {
  CHECK(quote("") == "''");
  CHECK(quote("a b") == "'a b'");
  CHECK(quote("a'b") == "'a\\'b'");
  CHECK(quote("a\\'b") == "'a\\\\\\'b'");
  CHECK(quote("a\x1b") == "'a\\x1b'");
  CHECK(quote("a\nzrecv: done") == "'a\\nzrecv: done'");
}

TEST_CASE("take_character: length and code point of valid characters, then a stray byte") {
  struct {
    const char* bytes;
    size_t length;
    char32_t code;
  } const rows[] = {
      {"A", 1, 'A'},
      {"\x7f", 1, 0x7f},
      {"\xc2\x80", 2, 0x80},
      {"\xdf\xbf", 2, 0x7ff},
      {"\xe0\xa0\x80", 3, 0x800},
      {"\xed\x9f\xbf", 3, 0xd7ff},
      {"\xee\x80\x80", 3, 0xe000},
      {"\xef\xbf\xbf", 3, 0xffff},
      {"\xf0\x90\x80\x80", 4, 0x10000},
      {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
  };
  for (const auto& row : rows) {
    const std::string text = row.bytes + "\xff"s;
    std::string_view rest = text;
    const Character c = take_character(rest);
    CHECK(c.bytes == row.bytes);
    CHECK(c.bytes.size() == row.length);
    CHECK(static_cast<uint32_t>(c.code) == static_cast<uint32_t>(row.code));
    const Character stray = take_character(rest);
    CHECK(static_cast<uint32_t>(stray.code) == static_cast<uint32_t>(kNotUtf8));
    CHECK(stray.bytes == "\xff");
    CHECK(rest.empty());
  }
}

TEST_CASE("shell_word: harmless words stay and others are quoted") {
  const Row rows[] = {
      {"file.txt", "file.txt"},
      {"/a/b-c_d+e@f%g=h:i,j", "/a/b-c_d+e@f%g=h:i,j"},
      {"zs://host:7717/x", "zs://host:7717/x"},
      {"", "''"},
      {"a b", "'a b'"},
      {"a'b", "'a'\\''b'"},
      {"$(reboot)", "'$(reboot)'"},
      {"a;b", "'a;b'"},
      {"~root", "'~root'"},
      {"a*", "'a*'"},
      // A bracket is a pattern: zsh ends with "no matches found", others may find one.
      {"[ab]", "'[ab]'"},
      {"zs://[::1]:7717", "'zs://[::1]:7717'"},
      {"Gr\xc3\xbc\xc3\x9f", "'Gr\xc3\xbc\xc3\x9f'"},
      // Nothing in it that must be hidden: every POSIX shell reads single quotes.
      {"a\\b", "'a\\b'"},
      {"a\nb", "$'a\\nb'"},
      {"a\x1b'b", "$'a\\x1b\\'b'"},
      {"\xff", "$'\\xff'"},
  };
  for (const Row& row : rows) CHECK(shell_word(row.bytes) == row.shown);
}

TEST_CASE("shell_word: a shell reads back the same bytes") {
  for (const std::string& name :
       {"plain"s, "a b"s, "it's"s, "$HOME `id` \"x\" ; & | < > ( )"s, "* ? !"s, "back\\slash"s,
        "new\nline\ttab"s, "\x1b[31m\x9b"s, "'\n'"s, "\\\n\\n"s,
        "\xe2\x80\xae"
        "0"s,
        "-n"s}) {
    const std::string script = "printf %s " + shell_word(name);
    INFO(script);
    // bash, for $'...'; the script reaches it by the environment, so that nothing quotes it again.
    REQUIRE(setenv("ZX_TEST_SCRIPT", script.c_str(), 1) == 0);
    FILE* out = popen("exec bash -c \"$ZX_TEST_SCRIPT\"", "r");
    REQUIRE(out != nullptr);
    std::string got(256, '\0');
    got.resize(fread(got.data(), 1, got.size(), out));
    CHECK(pclose(out) == 0);
    CHECK(got == name);
  }
  unsetenv("ZX_TEST_SCRIPT");
}

}  // namespace
}  // namespace zx
