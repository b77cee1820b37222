// SPDX-License-Identifier: MIT
#include "common/base/quote.h"

#include <algorithm>

namespace zx {
namespace {

void append_hex(std::string& out, char byte) {
  out += "\\x" + to_hex(std::as_bytes(std::span(&byte, 1)));
}

// What a terminal acts on or hides: controls, zero-width and bidirectional marks (the characters of
// "Trojan Source", CVE-2021-42574), line separators.
bool must_hide(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f) ||
         c == kNotUtf8;
}

// Whether escape_with() shows any byte as other than itself, a backslash aside.
bool has_hidden(std::string_view bytes) {
  while (!bytes.empty())
    if (must_hide(take_character(bytes).code)) return true;
  return false;
}

std::string escape_with(std::string_view bytes, size_t max_bytes, char also,
                        bool backslashes = true) {
  const size_t size = bytes.size();
  std::string out;
  if (size <= max_bytes) out = take_plain(bytes);
  while (!bytes.empty()) {
    if (size - bytes.size() >= max_bytes) return out + "...";
    const Character c = take_character(bytes);
    if (c.code == '\n') {
      out += "\\n";
    } else if (c.code == '\t') {
      out += "\\t";
    } else if ((backslashes && c.code == '\\') ||
               (also != 0 && c.code == static_cast<char32_t>(also))) {
      out += '\\';
      out += c.bytes;
    } else if (must_hide(c.code)) {
      for (const char byte : c.bytes) append_hex(out, byte);
    } else {
      out += c.bytes;
    }
  }
  return out;
}

// The length of the valid UTF-8 character that bytes begins with, 0 if there is none.
size_t utf8_length(std::string_view bytes, char32_t* code) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = byte(0);
  size_t n = first < 0x80 ? 1 : 2;
  if (first >= 0xe0) n = first < 0xf0 ? 3 : 4;
  const bool begins = first < 0x80 || (first >= 0xc2 && first <= 0xf4);
  if (!begins || bytes.size() < n) return 0;
  char32_t value = n == 1 ? first : first & (0x7fU >> n);
  for (size_t i = 1; i < n; ++i) {
    if ((byte(i) & 0xc0U) != 0x80) return 0;
    value = (value << 6) | (byte(i) & 0x3fU);
  }
  const bool overlong = (n == 3 && value < 0x800) || (n == 4 && value < 0x10000);
  if (overlong || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) return 0;
  *code = value;
  return n;
}

}  // namespace

std::string_view take_plain(std::string_view& bytes) {
  size_t n = 0;
  while (n < bytes.size() && bytes[n] >= ' ' && bytes[n] <= '~' && bytes[n] != '\\' &&
         bytes[n] != '\'' && bytes[n] != '"')
    ++n;
  const std::string_view out = bytes.substr(0, n);
  bytes.remove_prefix(n);
  return out;
}

Character take_character(std::string_view& bytes) {
  Character out{kNotUtf8, {}};
  const size_t n = std::max<size_t>(utf8_length(bytes, &out.code), 1);
  out.bytes = bytes.substr(0, n);
  bytes.remove_prefix(n);
  return out;
}

std::string escape(std::string_view bytes, size_t max_bytes) {
  return escape_with(bytes, max_bytes, 0);
}

std::string quote(std::string_view bytes) {
  return "'" + escape_with(bytes, 4096, '\'') + "'";
}

// Its backslashes are those of the peer's own quoting.
std::string quote_peer_text(std::string_view bytes, size_t max_bytes) {
  const auto shown = [](std::string_view text) {
    return escape_with(text, text.size(), 0, /*backslashes=*/false);
  };
  if (bytes.size() <= max_bytes) return shown(bytes);
  // A long name comes first, and last what is said about it.
  return shown(bytes.substr(0, max_bytes / 2)) + "..." +
         shown(bytes.substr(bytes.size() - max_bytes / 2));
}

std::string shell_word(std::string_view bytes) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!bytes.empty() && bytes.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(bytes);
  if (has_hidden(bytes)) return "$'" + escape_with(bytes, bytes.size(), '\'') + "'";
  std::string out = "'";
  for (const char c : bytes) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

std::string to_hex(std::span<const std::byte> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (std::byte b : bytes) {
    out += kDigits[std::to_integer<unsigned>(b) >> 4];
    out += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

}  // namespace zx
