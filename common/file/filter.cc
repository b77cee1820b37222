// SPDX-License-Identifier: MIT
#include "common/file/filter.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"

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
  if (!pattern.substr(at).starts_with("[:")) return std::nullopt;
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

// A bracket that begins at `at`: what is in it. Returns its end; npos when it has none.
size_t read_bracket(std::string_view pattern, size_t at, std::bitset<256>* out) {
  ++at;
  const bool inverted = at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^');
  if (inverted) ++at;
  for (bool first = true; at < pattern.size(); first = false) {
    if (pattern[at] == ']' && !first) {
      if (inverted) out->flip();
      return at + 1;
    }
    if (const auto named = class_at(pattern, at)) {
      for (unsigned c = 0; c < out->size(); ++c)
        if (named->first(static_cast<char>(c))) out->set(c);
      at = named->second;
      continue;
    }
    const auto low = static_cast<unsigned char>(literal(pattern, &at));
    auto high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']')
      high = static_cast<unsigned char>(literal(pattern, &++at));
    for (unsigned c = low; c <= high; ++c) out->set(c);
  }
  return std::string_view::npos;
}

[[noreturn]] void refuse(std::string_view pattern, const char* why) {
  throw Error(ExitStatus::Usage, "pattern " + quote(std::string(pattern)) + ": " + why);
}

// Slashes in brackets and behind a backslash are slashes all the same, as a name has none.
Filter::Part read_part(std::string_view pattern, std::string_view part) {
  Filter::Part out;
  for (size_t at = 0; at < part.size();) {
    Filter::Element& element = out.emplace_back();
    if (part[at] == '\\' && at + 1 == part.size())
      refuse(pattern, "a backslash with nothing behind it");
    if (part[at] == '*') {
      element.star = true;
      ++at;
    } else if (part[at] == '[') {
      at = read_bracket(part, at, &element.in);
      if (at == std::string_view::npos) refuse(pattern, "'[' without ']' (a plain one is '\\[')");
    } else if (part[at] == '?') {
      element.in.set();
      ++at;
    } else {
      element.in.set(static_cast<unsigned char>(literal(part, &at)));
    }
  }
  return out;
}

// How far a pattern has come when all of the subject is used up; nothing when it does not match. A
// wildcard stands for any number of parts of the subject. Goes back to the last one only, so that
// no pattern takes long.
template <typename Pattern, typename Subject, typename IsWildcard, typename Fits>
std::optional<size_t> match(const Pattern& pattern, const Subject& subject, IsWildcard is_wildcard,
                            Fits fits) {
  size_t p = 0, s = 0, again = SIZE_MAX, again_subject = 0;
  while (s < subject.size()) {
    if (p < pattern.size() && is_wildcard(pattern[p])) {
      again = ++p;
      again_subject = s;
    } else if (p < pattern.size() && fits(pattern[p], subject[s])) {
      ++p;
      ++s;
    } else if (again != SIZE_MAX) {
      p = again;
      s = ++again_subject;
    } else {
      return std::nullopt;
    }
  }
  return p;
}

bool is_star(const Filter::Element& element) {
  return element.star;
}

bool matches(const Filter::Part& part, std::string_view name) {
  auto end = match(part, name, is_star, [](const Filter::Element& element, char c) {
    return element.in[static_cast<unsigned char>(c)];
  });
  while (end && *end < part.size() && part[*end].star) ++*end;
  return end == part.size();
}

bool is_any_depth(const Filter::Part& part) {
  return part.size() == 2 && part[0].star && part[1].star;
}

// "**" is any number of components, at the end of a pattern at least one.
bool matches_path(const std::vector<Filter::Part>& parts, std::string_view path) {
  return match(parts, split_path(path), is_any_depth, matches) == parts.size();
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
    for (const std::string_view part : split_path(rest)) {
      if (part.empty() || part == "." || part == "..")
        refuse(rule.pattern, "no name is empty, '.' or '..'");
      out.parts.push_back(read_part(rule.pattern, part));
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
