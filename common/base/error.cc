// SPDX-License-Identifier: MIT
#include "common/base/error.h"

#include <cstring>

namespace zx {

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
