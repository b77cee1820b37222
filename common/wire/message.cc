// SPDX-License-Identifier: MIT
#include "common/wire/message.h"

#include <xxhash.h>

#include "common/base/error.h"

namespace zx {

Bytes seal(Bytes body) {
  Encoder tail;
  tail.number("check", XXH3_64bits(body.data(), body.size()));
  const Bytes& check = tail.so_far();
  body.insert(body.end(), check.begin(), check.end());
  return body;
}

ByteView unseal(ByteView payload) {
  if (payload.size() < kSealBytes)
    throw Error(ExitStatus::Protocol, "peer sent a message without its check");
  const ByteView body = payload.first(payload.size() - kSealBytes);
  Decoder d(payload.last(kSealBytes), "message");
  uint64_t check = 0;
  d.number("check", check);
  d.require(check == XXH3_64bits(body.data(), body.size()), "check", "mismatch");
  return body;
}

}  // namespace zx
