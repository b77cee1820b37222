// SPDX-License-Identifier: MIT
// The one way by which bytes from a peer, a file name or an operand reach a terminal or a log.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace zx {

/// Escapes without quotation marks: printable UTF-8 stays; C0, DEL and C1 controls, bidirectional
/// and zero-width characters, backslash, and bytes that are not UTF-8 become \n, \t, \\ or \xHH a
/// byte. At most max_bytes input bytes are shown, then "...".
std::string escape(std::string_view bytes, size_t max_bytes = 4096);

/// escape() between single quotation marks, with ' itself escaped: for names in messages.
std::string quote(std::string_view bytes);

/// escape() cut to max_bytes of input, in its middle: for free text that the peer sent.
std::string quote_peer_text(std::string_view bytes, size_t max_bytes = 1024);
/// What the peer may say about one of its entries.
constexpr size_t kMaxReasonBytes = 256;

/// A word for a POSIX shell: as it is when harmless, else in single quotes. For commands to paste.
/// Names with control characters come as $'...' (bash, zsh, ksh), so that no raw control is shown.
std::string shell_word(std::string_view bytes);

/// A UTF-8 character; or a byte that belongs to none, with kNotUtf8 as its code point. Surrogates,
/// overlong forms and code points past U+10FFFF are not valid.
struct Character {
  char32_t code;
  std::string_view bytes;
};
constexpr char32_t kNotUtf8 = UINT32_MAX;
/// Takes the first one off `bytes`, which are not empty.
Character take_character(std::string_view& bytes);
/// Takes the ASCII at their begin off that is the same in every quoting: most names are nothing
/// else.
std::string_view take_plain(std::string_view& bytes);

std::string to_hex(std::span<const std::byte> bytes);

}  // namespace zx
