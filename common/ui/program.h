// SPDX-License-Identifier: MIT
// What both mains are: one try, one catch, one line to stderr, one exit status.
#pragma once

#include <functional>

#include "common/ui/console.h"

namespace zx {

/// Runs body with signals and console set up and returns the exit status; when a stop signal came,
/// the process ends by that signal after everything was unwound. body fills the ledger as it goes.
int run_program(const char* name, const std::function<ExitStatus(Console&, Ledger&)>& body);

}  // namespace zx
