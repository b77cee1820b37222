// SPDX-License-Identifier: MIT
// Block: a part of an entry that goes over one connection at a time, until the receiver has
// acknowledged it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/engine/policy.h"
#include "common/file/source_file.h"
#include "common/wire/codec.h"
#include "common/wire/message.h"

namespace zx {

struct Block {
  uint64_t entry = 0, offset = 0;
  uint32_t length = 0;
  uint16_t attempt = 0;                // connections that were lost with it
  std::vector<BlockDigest> sent = {};  // what was sent as its content; the last one counts
  // Where its content is: in a file, or in memory.
  std::shared_ptr<const SourceFile> file = {};
  SourceFacts facts = {};
  std::shared_ptr<const Bytes> bytes = {};
};

/// A block that the receiver has verified.
struct Delivered {
  Block block;
  BlockDigest kept;      // what the receiver has of it
  bool changed = false;  // that is not what was read at first
  int read_error = 0;    // errno; what was read before it is in `kept`
  uint64_t resent = 0;   // how often the receiver asked for it again
};

}  // namespace zx
