// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "common/base/error.h"

namespace zx {

/// The name of the Error's status that f() throws, or "no error".
template <typename F>
std::string outcome(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return std::string(status_name(e.status()));
  }
  return "no error";
}

}  // namespace zx
