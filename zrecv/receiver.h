// SPDX-License-Identifier: MIT
#pragma once

#include "common/session/ledger.h"
#include "common/ui/console.h"
#include "zrecv/options.h"

namespace zx {

/// The whole run of zrecv. Fills the ledger and prints the outcome on success; an Error that ends
/// the session is thrown after the peer was told.
ExitStatus run_recv(const RecvOptions& options, Console& console, Ledger& ledger);

}  // namespace zx
