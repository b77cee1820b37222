// SPDX-License-Identifier: MIT
#include "common/file/filter.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"

namespace zx {
namespace {

bool is_between(char c, char first, char last) {
  return static_cast<unsigned char>(first) <= static_cast<unsigned char>(c) &&
         static_cast<unsigned char>(c) <= static_cast<unsigned char>(last);
}

bool is_upper(char c) {
  return is_between(c, 'A', 'Z');
}
bool is_lower(char c) {
  return is_between(c, 'a', 'z');
}
bool is_alpha(char c) {
  return is_upper(c) || is_lower(c);
}
bool is_digit(char c) {
  return is_between(c, '0', '9');
}
bool is_graph(char c) {
  return is_between(c, '!', '~');
}

// [[:name:]], of ASCII: the same everywhere.
using IsInClass = bool (*)(char);
constexpr std::array<std::pair<std::string_view, IsInClass>, 12> kClasses{{
    {"alpha", is_alpha},
    {"digit", is_digit},
    {"alnum", [](char c) { return is_alpha(c) || is_digit(c); }},
    {"upper", is_upper},
    {"lower", is_lower},
    {"space", [](char c) { return c == ' ' || is_between(c, '\t', '\r'); }},
    {"blank", [](char c) { return c == ' ' || c == '\t'; }},
    {"punct", [](char c) { return is_graph(c) && !is_alpha(c) && !is_digit(c); }},
    {"cntrl", [](char c) { return is_between(c, '\0', '\x1f') || c == '\x7f'; }},
    {"graph", is_graph},
    {"print", [](char c) { return c == ' ' || is_graph(c); }},
    {"xdigit",
     [](char c) { return is_digit(c) || is_between(c, 'a', 'f') || is_between(c, 'A', 'F'); }},
}};

// The class that begins at `at` ("[:name:]") and the place behind it; nothing when there is none.
std::optional<std::pair<IsInClass, size_t>> class_at(std::string_view pattern, size_t at) {
  for (const auto& [name, is_in] : kClasses) {
    const std::string text = "[:" + std::string(name) + ":]";
    if (pattern.substr(at).starts_with(text)) return std::pair{is_in, at + text.size()};
  }
  return std::nullopt;
}

// The character of a bracket at *at, which goes behind it.
char literal(std::string_view pattern, size_t* at) {
  if (pattern[*at] == '\\' && *at + 1 < pattern.size()) ++*at;
  return pattern[(*at)++];
}

// A bracket that begins at `at`: whether c is in it. Its end in *end; npos when it has none.
bool in_bracket(std::string_view pattern, size_t at, char c, size_t* end) {
  ++at;
  const bool inverted = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (inverted) ++at;
  bool found = false;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) {
      *end = at + 1;
      return found != inverted;
    }
    if (const auto named = class_at(pattern, at)) {
      found = found || named->first(c);
      at = named->second;
      continue;
    }
    const char low = literal(pattern, &at);
    char high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']')
      high = literal(pattern, &++at);
    found = found || is_between(c, low, high);
  }
  *end = std::string_view::npos;
  return false;
}

// The one element of a pattern at `at`, which is no '*': whether it is c. Its end in *end.
bool matches_one(std::string_view pattern, size_t at, char c, size_t* end) {
  if (pattern[at] == '[') return in_bracket(pattern, at, c, end);
  if (pattern[at] == '?') {
    *end = at + 1;
    return true;
  }
  const bool escaped = pattern[at] == '\\';
  *end = at + (escaped ? 2 : 1);
  return pattern[at + (escaped ? 1 : 0)] == c;
}

// One component. Goes back to the last '*' only, so that no pattern takes long.
bool matches(std::string_view pattern, std::string_view name) {
  size_t p = 0, n = 0, star = std::string_view::npos, star_name = 0;
  while (n < name.size()) {
    size_t next = 0;
    if (p < pattern.size() && pattern[p] == '*') {
      star = ++p;
      star_name = n;
    } else if (p < pattern.size() && matches_one(pattern, p, name[n], &next)) {
      p = next;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star;
      n = ++star_name;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

constexpr std::string_view kAnyDepth = "**";

std::vector<std::string_view> components_of(std::string_view path) {
  std::vector<std::string_view> out;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// A whole path. "**" is any number of components, at the end of a pattern at least one. Goes back
// to the last of them only, as matches() does.
bool matches_path(const std::vector<std::string>& parts, std::string_view path) {
  const auto names = components_of(path);
  size_t p = 0, n = 0, again = SIZE_MAX, again_name = 0;
  while (n < names.size()) {
    if (p < parts.size() && parts[p] == kAnyDepth) {
      if (p + 1 == parts.size()) return true;
      again = ++p;
      again_name = n;
    } else if (p < parts.size() && matches(parts[p], names[n])) {
      ++p;
      ++n;
    } else if (again != SIZE_MAX) {
      p = again;
      n = ++again_name;
    } else {
      return false;
    }
  }
  return p == parts.size();
}

[[noreturn]] void refuse(std::string_view pattern, const char* why) {
  throw Error(ExitStatus::Usage, "pattern " + quote(std::string(pattern)) + ": " + why);
}

// Slashes in brackets and behind a backslash are slashes all the same, as a name has none.
void check_part(std::string_view pattern, std::string_view part) {
  for (size_t at = 0; at < part.size();) {
    if (part[at] == '\\' && at + 1 == part.size())
      refuse(pattern, "a backslash with nothing behind it");
    size_t next = at + 1;
    if (part[at] != '*') (void)matches_one(part, at, 'x', &next);
    if (next == std::string_view::npos) refuse(pattern, "'[' without ']' (a plain one is '\\[')");
    at = next;
  }
}

}  // namespace

Filter::Filter(const std::vector<FilterRule>& rules) {
  for (const FilterRule& rule : rules) {
    std::string_view rest = rule.pattern;
    Pattern out;
    out.include = rule.include;
    if (rest.starts_with('!'))
      refuse(rest, "there is no '!': --include is that (a name with it is '\\!...')");
    if (rest.find('\0') != std::string_view::npos) refuse(rest, "a NUL, which no name has");
    if (rest.size() > 1 && rest.ends_with('/')) {
      out.directories_only = true;
      rest.remove_suffix(1);
    }
    out.anchored = rest.find('/') != std::string_view::npos;
    if (rest.starts_with('/')) rest.remove_prefix(1);
    if (rest.empty()) refuse(rule.pattern, "means no name");
    for (const std::string_view part : components_of(rest)) {
      if (part.empty() || part == "." || part == "..")
        refuse(rule.pattern, "no name is empty, '.' or '..'");
      check_part(rule.pattern, part);
      out.parts.emplace_back(part);
    }
    patterns_.push_back(std::move(out));
  }
}

bool Filter::excludes(std::string_view path, bool directory) const {
  return decide(path, directory, /*source=*/false);
}

bool Filter::excludes_source(std::string_view name, bool directory) const {
  return !name.empty() && decide(name, directory, /*source=*/true);
}

bool Filter::decide(std::string_view path, bool directory, bool source) const {
  const size_t slash = path.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? path : path.substr(slash + 1);
  for (const Pattern& pattern : patterns_) {
    if ((pattern.directories_only && !directory) || (pattern.anchored && source)) continue;
    if (pattern.anchored ? matches_path(pattern.parts, path) : matches(pattern.parts[0], name))
      return !pattern.include;
  }
  return false;
}

std::vector<FilterRule> read_patterns(const std::string& path, bool include) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw_errno(ExitStatus::FileIo, quote(path) + ": open", errno);
  std::vector<FilterRule> out;
  size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (line.ends_with('\r')) line.pop_back();
    while (line.ends_with(' ')) {
      const size_t text = line.find_last_not_of(' ');
      const size_t from = text == std::string::npos ? 0 : text + 1;
      // Behind an odd number of backslashes the first blank is meant.
      size_t slashes = 0;
      while (slashes < from && line[from - slashes - 1] == '\\') ++slashes;
      line.resize(from + slashes % 2);
      if (slashes % 2 == 1) break;
    }
    if (line.empty() || line.starts_with('#')) continue;
    out.push_back({include, line});
    try {
      (void)Filter({out.back()});
    } catch (const Error& error) {
      throw Error(error.status(), quote(path) + ":" + std::to_string(number) + ": " + error.what());
    }
  }
  if (in.bad()) throw_errno(ExitStatus::FileIo, quote(path) + ": read", errno);
  return out;
}

}  // namespace zx
