// SPDX-License-Identifier: MIT
#include "common/file/name.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/wire/limits.h"

namespace zx {

namespace {

// nullptr for a name that is as it should be.
const char* why_unsafe(std::string_view name) {
  if (name.empty()) return "an empty name";
  if (name == "." || name == "..") return "not a name of a file";
  if (name.size() > kMaxNameBytes) return "longer than 255 bytes";
  if (name.find('/') != std::string_view::npos) return "has a '/'";
  if (name.find('\0') != std::string_view::npos) return "has a NUL byte";
  if (name.starts_with(kTempPrefix)) return "reserved for temporary files";
  return nullptr;
}

}  // namespace

void check_component(std::string_view name) {
  if (const char* why = why_unsafe(name))
    throw Error(ExitStatus::Refused, "unsafe name " + quote(name) + ": " + why);
}

bool is_component(std::string_view name) {
  return why_unsafe(name) == nullptr;
}

void check_path(const std::vector<std::string>& components) {
  if (components.empty()) throw Error(ExitStatus::Refused, "unsafe name: no components");
  for (const std::string& name : components) check_component(name);
}

std::vector<std::string> components_below(std::string_view path) {
  if (path.starts_with('/') || path.starts_with('~'))
    throw Error(ExitStatus::Refused,
                quote(path) +
                    ": only paths below the directory of --below are served, and they "
                    "begin with neither '/' nor '~'");
  std::vector<std::string> out;
  for (const std::string_view component : split_path(path)) {
    if (component.empty() || component == ".") continue;
    check_component(component);
    out.emplace_back(component);
  }
  return out;
}

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> out;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    out.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

std::string join_path(const std::vector<std::string>& components) {
  std::string out;
  for (const std::string& name : components) {
    if (!out.empty()) out += '/';
    out += name;
  }
  return out;
}

std::string literal_remark(std::string_view path) {
  if (!path.starts_with('~') && path.find_first_of("*?[$") == std::string_view::npos) return "";
  return " (names are taken as they are: no wildcards, no variables, and of ~ only ~/)";
}

std::string base_name(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace zx
