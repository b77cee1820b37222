// SPDX-License-Identifier: MIT
// common/ui: sizes and times, JSON.
#include <catch2/catch.hpp>

#include "common/ui/json.h"
#include "common/ui/units.h"

namespace zx {
namespace {

TEST_CASE("parse_size: numbers and units") {
  struct {
    const char* text;
    uint64_t value;
  } const rows[] = {
      {"0", 0},
      {"1", 1},
      {"512B", 512},
      {"1K", 1024},
      {"1k", 1024},
      {"1KiB", 1024},
      {"8M", 8388608},
      {"8m", 8388608},
      {"8MiB", 8388608},
      {"3G", 3221225472},
      {"2T", 2199023255552},
      {"0T", 0},
      {"007", 7},
      {"18446744073709551615", UINT64_MAX},
      {"18014398509481983K", 18014398509481983ULL << 10},
      {"16777215T", 16777215ULL << 40},
      {"1.5M", 1572864},
      {"1.5G", 1610612736},
      {".5K", 512},
      {"1KB", 1000},
      {"100kB", 100000},
      {"10MB", 10000000},
      {"1.5GB", 1500000000},
      {"2TB", 2000000000000},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto value = parse_size(row.text);
    REQUIRE(value);
    CHECK(*value == row.value);
  }
}

TEST_CASE("parse_size: what is no size") {
  for (const char* text : {"",
                           " ",
                           "M",
                           "KiB",
                           "-1",
                           "+1",
                           "1,5M",
                           "1 M",
                           " 1",
                           "1 ",
                           "1..5M",
                           ".",
                           "1M/s",
                           "1Mb",
                           "1P",
                           "1E",
                           "1MiBx",
                           "1Mi",
                           "1iB",
                           "1KK",
                           "0x10",
                           "1e6",
                           "8b",
                           "18446744073709551616",
                           "18014398509481984K",
                           "16777216T",
                           "99999999999999999999999"}) {
    INFO(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("parse_rate: a size, and /s") {
  CHECK(parse_rate("10MB/s") == 10000000U);
  CHECK(parse_rate("1.5M") == 1572864U);
  for (const char* text : {"", "/s", "10/m", "10MB/s/s", "10MB/ s"}) CHECK_FALSE(parse_rate(text));
}

TEST_CASE("parse_seconds: numbers and units") {
  CHECK(parse_seconds("0") == 0);
  CHECK(parse_seconds("90") == 90);
  CHECK(parse_seconds("90s") == 90);
  CHECK(parse_seconds("5m") == 300);
  CHECK(parse_seconds("1.5h") == 5400);
  CHECK(parse_seconds("2d") == 172800);
  CHECK(parse_seconds("0.2") == 1);
  for (const char* text :
       {"", "s", "-1", "5 m", "5ms", "5w", "m5", "1e3", "99999999999999999999d"}) {
    INFO(text);
    CHECK_FALSE(parse_seconds(text));
  }
}

TEST_CASE("human_duration: seconds, then minutes") {
  CHECK(human_duration(0) == "0.000 s");
  CHECK(human_duration(0.0312) == "0.031 s");
  CHECK(human_duration(1.04) == "1.0 s");
  CHECK(human_duration(99.9) == "99.9 s");
  CHECK(human_duration(100) == "1:40");
}

TEST_CASE("human_bytes: three digits that matter") {
  struct {
    double value;
    const char* text;
  } const rows[] = {
      {0, "0 B"},
      {1, "1 B"},
      {999, "999 B"},
      {1000, "1.00 kB"},
      {1234, "1.23 kB"},
      {12345, "12.3 kB"},
      {123456, "123 kB"},
      {1234567890, "1.23 GB"},
      {5e12, "5.00 TB"},
      {1e15, "1.00 PB"},
      {1e18, "1.00 EB"},
      // Rounding goes on to the next form, not to a fourth digit.
      {9999, "10.0 kB"},
      {99999, "100 kB"},
      {999999, "1.00 MB"},
      {999.7e6, "1.00 GB"},
  };
  for (const auto& row : rows) CHECK(human_bytes(row.value) == row.text);
}

TEST_CASE("human_count: in groups of three") {
  CHECK(human_count(0) == "0");
  CHECK(human_count(999) == "999");
  CHECK(human_count(1204) == "1,204");
  CHECK(human_count(1234567) == "1,234,567");
}

TEST_CASE("human_time: minutes and hours") {
  struct {
    double value;
    const char* text;
  } const rows[] = {
      {0, "0:00"},       {0.4, "0:00"},     {0.5, "0:01"},         {9, "0:09"},
      {59.4, "0:59"},    {59.6, "1:00"},    {75, "1:15"},          {3599, "59:59"},
      {3600, "1:00:00"}, {3700, "1:01:40"}, {360000, "100:00:00"}, {-5, "0:00"},
  };
  for (const auto& row : rows) CHECK(human_time(row.value) == row.text);
}

TEST_CASE("json_string: quotation marks and controls are escaped") {
  struct {
    std::string bytes, text;
  } const rows[] = {
      {"", R"("")"},
      {"plain", R"("plain")"},
      {"a\"b\\c/d", R"("a\"b\\c/d")"},
      {"a\nb\tc\r", R"("a\u000ab\u0009c\u000d")"},
      {std::string("\0", 1), R"("\u0000")"},
      {"\x1b[2J", R"("\u001b[2J")"},
      {"\x1f", R"("\u001f")"},
      {"\x7f", R"("\u007f")"},
      {"\xc2\x9b", R"("\u009b")"},  // CSI: must not reach a terminal either
      {"\xc2\xa0", "\"\xc2\xa0\""},
      {"Gr\xc3\xbc\xc3\x9f", "\"Gr\xc3\xbc\xc3\x9f\""},
      {"\xf0\x9f\x93\x84", "\"\xf0\x9f\x93\x84\""},
  };
  for (const auto& row : rows) CHECK(json_string(row.bytes) == row.text);
}

TEST_CASE("json_string: only valid UTF-8 comes out") {
  const std::string bad = "\xef\xbf\xbd";  // U+FFFD
  CHECK(json_string("\xff") == "\"" + bad + "\"");
  CHECK(json_string("a\x9b"
                    "b") == "\"a" + bad + "b\"");
  CHECK(json_string("\xc3") == "\"" + bad + "\"");
  CHECK(json_string("\xed\xa0\x80") == "\"" + bad + bad + bad + "\"");
  CHECK(json_string("\xc0\xaf") == "\"" + bad + bad + "\"");
}

TEST_CASE("base64: with padding") {
  const char* const rows[][2] = {{"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
                                 {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe", "//4="}};
  for (const auto& row : rows) CHECK(base64(row[0]) == row[1]);
  CHECK(base64(std::string(1000, '\0')).size() == 1336);  // no line breaks
}

TEST_CASE("JsonObject: members of every kind in their order") {
  JsonObject inner;
  inner.text("tx", "sendfile").list("why", {"a\"b", "c"});
  JsonObject json;
  json.number("v", 1).text("event", "summary").real("seconds", 1.5).boolean("durable", true);
  json.boolean("x", false).number("bytes", UINT64_MAX).object("path", inner).list("none", {});
  CHECK(json.str() ==
        R"({"v":1,"event":"summary","seconds":1.500000,"durable":true,"x":false,)"
        R"("bytes":18446744073709551615,"path":{"tx":"sendfile","why":["a\"b","c"]},"none":[]})");
  CHECK(JsonObject().str() == "{}");
}

TEST_CASE("JsonObject: a name that is not UTF-8 has its exact bytes beside it") {
  CHECK(JsonObject().text("name", "ok\xc3\xa9").str() == "{\"name\":\"ok\xc3\xa9\"}");
  CHECK(JsonObject().text("name", "a\xff").str() ==
        "{\"name\":\"a\xef\xbf\xbd\",\"name_b64\":\"Yf8=\"}");
  // Controls are valid UTF-8: their escapes lose nothing.
  CHECK(JsonObject().text("name", "a\x1b").str() == R"({"name":"a\u001b"})");
}

}  // namespace
}  // namespace zx
