// SPDX-License-Identifier: MIT
#pragma once

#include "common/engine/block_sender.h"
#include "common/session/link.h"

namespace zx {

/// Sends a block that did not arrive as it was read: read into memory, hashed and sent from there,
/// so that digest and bytes belong together even while the file changes. Its DIGEST is queued.
SentBlock send_again(Link& link, const SourceFile& file, uint64_t id, uint64_t offset,
                     uint32_t length);

/// Counts one more RETRY for a block. Throws Error{Protocol} when that was one too often.
void count_retry(uint64_t* resent);

}  // namespace zx
