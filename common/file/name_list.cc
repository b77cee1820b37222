// SPDX-License-Identifier: MIT
#include "common/file/name_list.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/unique_fd.h"
#include "common/file/name.h"
#include "common/wire/limits.h"

namespace zx {
namespace {

constexpr size_t kReadBytes = 256 << 10;

// As if a slash were the least of all bytes: what is below a directory comes right behind it.
bool is_before(std::string_view a, std::string_view b) {
  const auto [x, y] = std::ranges::mismatch(a, b);
  if (x == a.end() || y == b.end()) return x == a.end() && y != b.end();
  if (*x == '/' || *y == '/') return *x == '/';
  return static_cast<unsigned char>(*x) < static_cast<unsigned char>(*y);
}

}  // namespace

NameList::NameList(const std::string& path, char end) {
  const bool is_input = path == "-";
  const std::string shown = is_input ? "standard input" : quote(path);
  const UniqueFd file(is_input ? -1 : open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const int fd = is_input ? STDIN_FILENO : file.get();
  struct stat st {};
  if (fd < 0 || fstat(fd, &st) != 0) throw_errno(ExitStatus::FileIo, shown + ": open", errno);
  if (S_ISREG(st.st_mode) && st.st_size < UINT32_MAX)
    text_.reserve(static_cast<size_t>(st.st_size) + 1);

  std::string buffer(kReadBytes, '\0'), rest;
  uint64_t number = 0;
  const auto take = [&](std::string_view name) {
    ++number;
    try {
      add(name);
    } catch (const Error& error) {
      throw Error(error.status(), shown + ": name " + std::to_string(number) + ", " +
                                      quote(std::string(name.substr(0, 2 * kMaxNameBytes))) + ": " +
                                      error.what());
    }
  };
  for (;;) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(ExitStatus::FileIo, shown + ": read", errno);
    if (n == 0) break;
    for (std::string_view left(buffer.data(), static_cast<size_t>(n)); !left.empty();) {
      const size_t stop = left.find(end);
      rest += left.substr(0, stop);
      if (rest.size() > kMaxTreePathBytes) take(rest);  // which throws
      if (stop == std::string_view::npos) break;
      take(rest);
      rest.clear();
      left.remove_prefix(stop + 1);
    }
  }
  take(rest);
  std::ranges::sort(names_, [&](uint32_t a, uint32_t b) {
    return is_before(text_.data() + a, text_.data() + b);
  });
  const auto same = [&](uint32_t a, uint32_t b) {
    return std::string_view(text_.data() + a) == text_.data() + b;
  };
  names_.erase(std::unique(names_.begin(), names_.end(), same), names_.end());
}

void NameList::add(std::string_view name) {
  const auto refuse = [](const char* why) { throw Error(ExitStatus::Usage, why); };
  if (name.empty()) return;
  if (name.size() > kMaxTreePathBytes) refuse("longer than 16 KiB");
  if (name.find('\0') != std::string_view::npos) refuse("has a NUL, with which --from0 ends names");
  const size_t begin = text_.size();
  for (const std::string_view part : split_path(name)) {
    if (part.empty() || part == ".") continue;
    if (part == "..") refuse("'..' may lead out of the source");
    if (part.size() > kMaxNameBytes) refuse("a name in it is longer than 255 bytes");
    if (text_.size() > begin) text_ += '/';
    text_ += part;
  }
  if (text_.size() == begin) {
    has_top_ = true;
    return;
  }
  if (text_.size() >= UINT32_MAX) refuse("the list is longer than 4 GiB");
  names_.push_back(static_cast<uint32_t>(begin));
  text_ += '\0';
}

}  // namespace zx
