// SPDX-License-Identifier: MIT
// Messages with a value in every field, for the tests of the wire.
#pragma once

#include "common/wire/message.h"

namespace zx {

template <size_t N>
std::array<std::byte, N> counting(int first) {
  std::array<std::byte, N> out{};
  for (size_t i = 0; i < N; ++i) out[i] = static_cast<std::byte>(first + static_cast<int>(i));
  return out;
}

inline Terms some_terms() {
  Terms m;
  m.prefaces.connector = counting<kPrefaceBytes>(1);
  m.prefaces.listener = counting<kPrefaceBytes>(101);
  m.required_features = 0x1122334455667788;
  m.optional_features = 0x99aabbccddeeff00;
  m.session = counting<16>(201);
  m.block_bytes = 0x345678;
  m.durability = Durability::File;
  m.overwrite = Overwrite::Never;
  m.file_digest = m.no_target_directory = m.preserve = m.path_is_directory = true;
  m.to_pipe = m.several = m.mkdir = true;
  m.rate_limit = 0xa1b2c3d4e5f60718;
  m.silence_ms = 0x1234;
  m.streams = 13;
  m.path = {"dir", "name with space"};
  m.filter = {{false, "*.o"}, {true, "/a/"}};
  m.build = "zsend 0.1.0";
  return m;
}

inline EntryInfo some_entry() {
  EntryInfo m;
  m.name = {"a", "b\n"};
  m.size = 0x0123456789abcdef;
  m.mtime_sec = -2;
  m.mtime_nsec = 999'999'999;
  m.mode = 0751;
  m.sparse = true;
  return m;
}

inline Join some_join() {
  return {counting<24>(1), counting<24>(50), counting<16>(100), 0x1234, 0x89abcdef, UINT64_MAX, 77};
}

}  // namespace zx
