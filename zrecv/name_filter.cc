// SPDX-License-Identifier: MIT
#include "zrecv/name_filter.h"

#include <cstring>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/random.h"
#include "common/file/name.h"
#include "common/integrity/digest.h"

namespace zx {

NameFilter::NameFilter(RequestedNames requested) : requested_(std::move(requested)) {
  fill_random(key_);
  taken_.push_back(std::make_shared<NameSet>(key_));
}

void NameFilter::check_requested(uint64_t number, const EntryInfo& info) const {
  const auto& names = requested_.names;
  const bool is_file = info.kind == EntryKind::File || info.kind == EntryKind::HardLink;
  if (!is_file && !requested_.recursive)
    throw Error(ExitStatus::Refused,
                (info.name.empty() ? "what is below a directory"
                                   : quote(join_path(info.name)) + ": a directory or link") +
                    ", which was not asked for (-r)");
  if (names.empty()) return;
  const size_t index = requested_.every_one ? number - 1 : 0;
  if (index < names.size() && info.name == names[index]) return;
  throw Error(ExitStatus::Refused,
              "unsafe name " + quote(join_path(info.name)) + ": it was not asked for");
}

uint64_t NameSet::hash_of(std::string_view name) const {
  Bytes text(key_.begin(), key_.end());
  const ByteView bytes = as_bytes(name);
  text.insert(text.end(), bytes.begin(), bytes.end());
  const Digest digest = digest_of(text);
  uint64_t hash = 0;
  std::memcpy(&hash, digest.data(), sizeof hash);
  return hash;
}

void NameFilter::check_all_came(uint64_t count) const {
  if (count == 0) throw Error(ExitStatus::Protocol, "peer sent FIN before any entry");
  if (requested_.every_one && count < requested_.names.size())
    throw Error(ExitStatus::Protocol, "peer sent " + std::to_string(count) + " of " +
                                          std::to_string(requested_.names.size()) +
                                          " entries that were asked for");
}

}  // namespace zx
