// SPDX-License-Identifier: MIT
#include "common/file/operator_file.h"

#include <endian.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"
#include "common/base/wait.h"

namespace zx {

namespace {

// Between two looks whether a lease was given up.
constexpr std::chrono::milliseconds kLookForLease{50};
// The kernel ends a lease after /proc/sys/fs/lease-break-time: 45 s.
constexpr std::chrono::seconds kLongestLease{50};

// Whether there is a symbolic link of somebody else.
bool is_foreign_link(const std::string& path, struct stat* link) {
  return lstat(path.c_str(), link) == 0 && S_ISLNK(link->st_mode) && link->st_uid != 0 &&
         link->st_uid != geteuid();
}

// What `<(...)` of a shell is, and `|` before a program that reads /dev/stdin: nobody else can have
// put it there, as a FIFO with a name.
bool is_nameless_pipe(int fd, const struct stat& st) {
  struct statfs fs {};
  return S_ISFIFO(st.st_mode) && fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC;
}

// Whether an ACL names a user who is neither this one nor root.
bool lets_others_read(int fd) {
  alignas(posix_acl_xattr_header) std::array<char, 4096> acl{};
  const ssize_t size = fgetxattr(fd, "system.posix_acl_access", acl.data(), acl.size());
  if (size < 0) return errno == ERANGE;  // it has none; or more entries than a key file needs
  posix_acl_xattr_entry entry{};
  for (size_t at = sizeof(posix_acl_xattr_header); at + sizeof entry <= static_cast<size_t>(size);
       at += sizeof entry) {
    std::memcpy(&entry, acl.data() + at, sizeof entry);
    const uint32_t user = le32toh(entry.e_id);
    if (le16toh(entry.e_tag) == ACL_USER && (le16toh(entry.e_perm) & ACL_READ) != 0 && user != 0 &&
        user != geteuid())
      return true;
  }
  return false;
}

[[noreturn]] void refuse_link(const std::string& path, const std::string& what,
                              ExitStatus refusal) {
  throw Error(refusal, what + " " + quote(path) + ": a symbolic link of another user");
}

}  // namespace

void refuse_planted_links(const std::string& path, const std::string& what, ExitStatus refusal) {
  for (size_t begin = 0, end = 0; end < path.size(); begin = end + 1) {
    end = std::min(path.find('/', begin), path.size());
    if (end == begin) continue;  // another slash
    const std::string link_path = path.substr(0, end);
    const std::string dir_path = begin == 0 ? "." : path.substr(0, begin);
    constexpr mode_t kForAll = S_ISVTX | S_IWOTH;
    struct stat link {
    }, dir{};
    if (is_foreign_link(link_path, &link) && stat(dir_path.c_str(), &dir) == 0 &&
        (dir.st_mode & kForAll) == kForAll && link.st_uid != dir.st_uid)
      refuse_link(link_path, what, refusal);
  }
}

void refuse_foreign_link(const std::string& path, const std::string& what, ExitStatus refusal) {
  refuse_planted_links(path, what, refusal);
  struct stat link {};
  if (is_foreign_link(path, &link)) refuse_link(path, what, refusal);
}

UniqueFd open_operator_file(const std::string& path, int flags, mode_t mode,
                            const std::string& what, ExitStatus refusal) {
  refuse_foreign_link(path, what, refusal);
  const auto give_up = Clock::now() + kLongestLease;
  UniqueFd fd;
  for (;;) {
    fd = UniqueFd(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode));
    if (fd.valid() || errno != EAGAIN || Clock::now() >= give_up) break;
    pause_for(kLookForLease);
  }
  if (!fd.valid()) throw_file_errno(what + " " + quote(path) + ": open", errno);
  (void)fcntl(fd.get(), F_SETFL, flags & O_APPEND);  // blocking again from here on
  return fd;
}

std::string read_regular_file(const std::string& path, const std::string& what, size_t max_bytes,
                              Reader readers) {
  const UniqueFd fd = open_operator_file(path, O_RDONLY, 0, what, ExitStatus::Auth);
  const std::string file = what + " " + quote(path);
  struct stat st {};
  if (fstat(fd.get(), &st) != 0) throw_file_errno(file + ": stat", errno);
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitStatus::Auth, file + ": " + why);
  };
  if (!S_ISREG(st.st_mode) && !is_nameless_pipe(fd.get(), st))
    refuse("not a regular file, nor a pipe of a shell");
  if (readers == Reader::OnlyUser) {
    if (st.st_uid != geteuid() && st.st_uid != 0) refuse("belongs to another user");
    // What root keeps for a service: for its group to read, or for its user by an ACL.
    const bool by_root = st.st_uid == 0 && geteuid() != 0;
    if ((st.st_mode & (by_root ? 037 : 077)) != 0)
      refuse("open to group or others (make it private: chmod 600)");
    if (by_root && lets_others_read(fd.get())) refuse("its ACL lets another user read it");
  }
  std::string text(max_bytes + 1, '\0');
  size_t done = 0;
  ssize_t n = 1;
  while (n > 0 && done < text.size()) {
    n = retry_eintr([&] { return read(fd.get(), text.data() + done, text.size() - done); });
    done += static_cast<size_t>(std::max<ssize_t>(n, 0));
  }
  const int error = errno;
  if (n < 0 || done > max_bytes) explicit_bzero(text.data(), text.size());
  if (n < 0) throw_file_errno(file + ": read", error);
  if (done > max_bytes) refuse("too large for what it should be");
  text.resize(done);
  return text;
}

}  // namespace zx
