// SPDX-License-Identifier: MIT
#include "common/session/blocked_host.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/base/unique_fd.h"
#include "common/integrity/digest.h"

namespace zx {
namespace {

constexpr std::chrono::seconds kValid = std::chrono::hours(24);

// "" where there is none (XDG Base Directory Specification).
std::string cache_folder() {
  const char* cache = getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return cache;
  const char* home = getenv("HOME");
  return home != nullptr && *home == '/' ? std::string(home) + "/.cache" : "";
}

// Not in a folder of somebody else: sudo(8) may keep HOME.
void make_in_own_folder(const std::string& path) {
  struct stat st {};
  const std::string parent = path.substr(0, path.rfind('/')) + "/";
  if (stat(parent.c_str(), &st) == 0 && st.st_uid == geteuid()) (void)mkdir(path.c_str(), 0700);
}

UniqueFd open_folder(bool make) {
  const std::string cache = cache_folder(), folder = cache + "/zsend";
  if (cache.empty()) return UniqueFd();
  if (make) make_in_own_folder(cache);
  if (make) make_in_own_folder(folder);
  UniqueFd fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat st {};
  const bool own = fd.valid() && fstat(fd.get(), &st) == 0 && st.st_uid == geteuid() &&
                   (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  return own ? std::move(fd) : UniqueFd();
}

}  // namespace

BlockedHost::BlockedHost(std::string_view key)
    : name_("blocked-" + to_hex(digest_of(std::as_bytes(std::span(key))))) {}

std::optional<BlockedHost::Found> BlockedHost::recall() const {
  const UniqueFd folder = open_folder(/*make=*/false);
  if (!folder.valid()) return std::nullopt;
  const UniqueFd fd(
      openat(folder.get(), name_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat st {};
  std::array<char, 5> text{};
  if (!fd.valid() || fstat(fd.get(), &st) != 0) return std::nullopt;
  const ssize_t n = pread_full(fd.get(), std::as_writable_bytes(std::span(text)), 0);
  const std::string via(text.data(), n < 0 ? 0 : static_cast<size_t>(n));
  const std::chrono::seconds ago(time(nullptr) - st.st_mtime);
  if ((via == "back" || via == "ssh") && ago.count() >= 0 && ago < kValid)
    return Found{via, std::chrono::duration_cast<std::chrono::minutes>(ago)};
  forget();
  return std::nullopt;
}

void BlockedHost::remember(std::string_view via) const {
  const UniqueFd folder = open_folder(/*make=*/true);
  if (!folder.valid()) return;
  const UniqueFd fd(openat(folder.get(), name_.c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                           0600));
  if (fd.valid()) (void)pwrite_full(fd.get(), std::as_bytes(std::span(via)), 0);
}

void BlockedHost::forget() const {
  const UniqueFd folder = open_folder(/*make=*/false);
  if (folder.valid()) (void)unlinkat(folder.get(), name_.c_str(), 0);
}

}  // namespace zx
