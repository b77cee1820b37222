// SPDX-License-Identifier: MIT
#include "common/file/name.h"

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/wire/limits.h"

namespace zx {

void check_component(std::string_view name) {
  const char* why = nullptr;
  if (name.empty())
    why = "an empty name";
  else if (name == "." || name == "..")
    why = "not a name of a file";
  else if (name.size() > kMaxNameBytes)
    why = "longer than 255 bytes";
  else if (name.find('/') != std::string_view::npos)
    why = "has a '/'";
  else if (name.find('\0') != std::string_view::npos)
    why = "has a NUL byte";
  else if (name.starts_with(kTempPrefix))
    why = "reserved for temporary files";
  if (why != nullptr) throw Error(ExitStatus::Refused, "unsafe name " + quote(name) + ": " + why);
}

void check_path(const std::vector<std::string>& components) {
  if (components.empty()) throw Error(ExitStatus::Refused, "unsafe name: no components");
  for (const std::string& name : components) check_component(name);
}

std::string join_path(const std::vector<std::string>& components) {
  std::string out;
  for (const std::string& name : components) {
    if (!out.empty()) out += '/';
    out += name;
  }
  return out;
}

std::string base_name(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  const size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

}  // namespace zx
