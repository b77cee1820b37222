// SPDX-License-Identifier: MIT
#include "common/file/principals.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <vector>

namespace zx {
namespace {

// A peer may name as many as it likes.
constexpr size_t kMostKept = 4096;
// What is known of one: a group has all of its members in it.
constexpr size_t kFirstBytes = 4 << 10, kMostBytes = 16 << 20;

template <typename Cache>
void make_room(Cache& cache) {
  if (cache.size() >= kMostKept) cache.clear();
}

// call(record, buffer, size, found) is one of getpwnam_r(3) and its like.
template <typename Record, typename Call, typename Take>
auto look_up(Call&& call, Take&& take) -> std::optional<decltype(take(Record{}))> {
  std::vector<char> buffer(kFirstBytes);
  Record record{};
  Record* found = nullptr;
  while (call(&record, buffer.data(), buffer.size(), &found) == ERANGE &&
         buffer.size() < kMostBytes)
    buffer.resize(buffer.size() * 2);
  if (found == nullptr) return std::nullopt;
  return take(*found);
}

}  // namespace

Principal Principals::of(Kind kind, uint32_t id) {
  make_room(names_[kind]);
  const auto [at, first] = names_[kind].try_emplace(id);
  if (first) {
    const auto name = [](const auto& record) -> std::string {
      if constexpr (requires { record.pw_name; })
        return record.pw_name;
      else
        return record.gr_name;
    };
    const auto found =
        kind == User ? look_up<passwd>([&](auto... to) { return getpwuid_r(id, to...); }, name)
                     : look_up<::group>([&](auto... to) { return getgrgid_r(id, to...); }, name);
    if (found && found->size() <= kMaxPrincipalBytes) at->second = *found;
  }
  return {id, at->second};
}

std::optional<uint32_t> Principals::id_of(Kind kind, const std::string& name) {
  if (name.empty() || name.find('\0') != std::string::npos) return std::nullopt;
  make_room(ids_[kind]);
  const auto [at, first] = ids_[kind].try_emplace(name);
  if (first) {
    const char* text = name.c_str();
    const auto id = [](const auto& record) -> uint32_t {
      if constexpr (requires { record.pw_uid; })
        return record.pw_uid;
      else
        return record.gr_gid;
    };
    at->second = kind == User
                     ? look_up<passwd>([&](auto... to) { return getpwnam_r(text, to...); }, id)
                     : look_up<::group>([&](auto... to) { return getgrnam_r(text, to...); }, id);
  }
  return at->second;
}

}  // namespace zx
