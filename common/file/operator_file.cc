// SPDX-License-Identifier: MIT
#include "common/file/operator_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/error.h"
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

}  // namespace zx
