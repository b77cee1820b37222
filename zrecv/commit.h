// SPDX-License-Identifier: MIT
// Commit: the only place where a final name appears. Metadata, sync, rename, sync of the directory,
// in this order: any other loses the file or its name in a power cut.
#pragma once

#include <memory>
#include <vector>

#include "zrecv/entry_sink.h"
#include "zrecv/entry_writer.h"

namespace zx {

/// Commits verified entries. One that cannot be committed has a failed outcome then; its temporary
/// file goes with the writer. One that was is durable when policy.durability is not None. Blocking:
/// runs while heartbeats are sent. A stop signal is noticed before the first final name, then no
/// more; only a stream, which waits for its reader or its command without limit, looks for one all
/// the time.
void commit_entries(std::vector<std::shared_ptr<EntryWriter>>& entries, const CommitPolicy& policy);

}  // namespace zx
