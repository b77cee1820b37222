// SPDX-License-Identifier: MIT
#include "common/base/error.h"

#include <cerrno>
#include <cstring>

namespace zx {

bool is_unsupported(int error) {
  return error == EOPNOTSUPP || error == EINVAL || error == ENOSYS || error == ENOTTY;
}

bool is_denied(int error) {
  return error == EPERM || error == EACCES;
}

std::string errno_text(int error) {
  char buffer[256] = "";
  return strerror_r(error, buffer, sizeof buffer);  // the GNU variant: returns the text
}

void throw_errno(ExitStatus status, std::string_view what, int error) {
  throw Error(status, std::string(what) + ": " + errno_text(error));
}

void throw_file_errno(std::string_view what, int error) {
  throw_errno(file_status_of_errno(error), what, error);
}

}  // namespace zx
