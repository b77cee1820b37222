// SPDX-License-Identifier: MIT
#include "common/base/quote.h"

#include <cstdint>

namespace zx {
namespace {

constexpr size_t kPeerTextBytes = 1024;

void append_hex(std::string& out, char byte) {
  out += "\\x" + to_hex(std::as_bytes(std::span(&byte, 1)));
}

// What a terminal acts on or hides: controls, zero-width and bidirectional marks (the characters of
// "Trojan Source", CVE-2021-42574), line separators.
bool must_hide(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0xad || c == 0x61c ||
         (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
         (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xe0000 && c <= 0xe007f);
}

// Whether escape_with() shows any byte as other than itself, a backslash aside.
bool has_hidden(std::string_view bytes) {
  char32_t code = 0;
  for (size_t i = 0; i < bytes.size();) {
    const size_t n = utf8_char(bytes, i, &code);
    if (n == 0 || must_hide(code)) return true;
    i += n;
  }
  return false;
}

std::string escape_with(std::string_view bytes, size_t max_bytes, char also) {
  std::string out;
  size_t i = 0;
  while (i < bytes.size()) {
    if (i >= max_bytes) {
      out += "...";
      break;
    }
    char32_t code = 0;
    const size_t n = utf8_char(bytes, i, &code);
    if (n == 0) {
      append_hex(out, bytes[i++]);
      continue;
    }
    if (code == '\n') {
      out += "\\n";
    } else if (code == '\t') {
      out += "\\t";
    } else if (code == '\\' || (also != 0 && code == static_cast<char32_t>(also))) {
      out += '\\';
      out += static_cast<char>(code);
    } else if (must_hide(code)) {
      for (size_t k = 0; k < n; ++k) append_hex(out, bytes[i + k]);
    } else {
      out.append(bytes, i, n);
    }
    i += n;
  }
  return out;
}

}  // namespace

size_t utf8_char(std::string_view bytes, size_t at, char32_t* code) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(bytes[at + i]); };
  const unsigned char first = byte(0);
  size_t n = first < 0x80 ? 1 : 2;
  if (first >= 0xe0) n = first < 0xf0 ? 3 : 4;
  const bool begins = first < 0x80 || (first >= 0xc2 && first <= 0xf4);
  if (!begins || bytes.size() - at < n) return 0;
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

std::string escape(std::string_view bytes, size_t max_bytes) {
  return escape_with(bytes, max_bytes, 0);
}

std::string quote(std::string_view bytes) {
  return "'" + escape_with(bytes, 4096, '\'') + "'";
}

std::string quote_peer_text(std::string_view bytes) {
  return escape(bytes, kPeerTextBytes);
}

std::string shell_word(std::string_view bytes) {
  static constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";
  if (!bytes.empty() && bytes.find_first_not_of(kPlain) == std::string_view::npos)
    return std::string(bytes);
  if (has_hidden(bytes)) return "$'" + escape_with(bytes, bytes.size(), '\'') + "'";
  std::string out = "'";
  for (char c : bytes) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
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
