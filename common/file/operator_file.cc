// SPDX-License-Identifier: MIT
#include "common/file/operator_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/quote.h"

namespace zx {

void refuse_foreign_link(const std::string& path, const std::string& what, ExitStatus refusal) {
  struct stat link {};
  if (lstat(path.c_str(), &link) == 0 && S_ISLNK(link.st_mode) && link.st_uid != 0 &&
      link.st_uid != geteuid())
    throw Error(refusal, what + " " + quote(path) + ": a symbolic link of another user");
}

UniqueFd open_operator_file(const std::string& path, int flags, mode_t mode,
                            const std::string& what, ExitStatus refusal) {
  refuse_foreign_link(path, what, refusal);
  UniqueFd fd(open(path.c_str(), flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode));
  if (!fd.valid()) throw_file_errno(what + " " + quote(path) + ": open", errno);
  (void)fcntl(fd.get(), F_SETFL, flags & O_APPEND);  // blocking again from here on
  return fd;
}

std::string read_private_file(const std::string& path, const std::string& what, size_t max_bytes) {
  const UniqueFd fd = open_operator_file(path, O_RDONLY, 0, what, ExitStatus::Auth);
  struct stat st {};
  const std::string file = what + " " + quote(path);
  if (fstat(fd.get(), &st) != 0) throw_file_errno(file + ": stat", errno);
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitStatus::Auth, file + ": " + why);
  };
  if (!S_ISREG(st.st_mode)) refuse("not a regular file");
  if (st.st_uid != geteuid() && st.st_uid != 0) refuse("belongs to another user");
  if ((st.st_mode & 077) != 0) refuse("open to group or others (make it private: chmod 600)");
  std::string text(max_bytes + 1, '\0');
  const ssize_t n = pread_full(fd.get(), std::as_writable_bytes(std::span(text)), 0);
  if (n < 0) throw_file_errno(file + ": read", static_cast<int>(-n));
  if (static_cast<size_t>(n) > max_bytes) refuse("too large for what it should be");
  text.resize(static_cast<size_t>(n));
  return text;
}

}  // namespace zx
