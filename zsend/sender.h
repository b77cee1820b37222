// SPDX-License-Identifier: MIT
#pragma once

#include "common/session/ledger.h"
#include "common/ui/console.h"
#include "zsend/options.h"

namespace zx {

/// The whole run of zsend. Fills the ledger and prints the outcome on success; an Error that ends
/// the session is thrown after the peer was told.
ExitStatus run_send(const SendOptions& options, Console& console, Ledger& ledger);

}  // namespace zx
