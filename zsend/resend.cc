// SPDX-License-Identifier: MIT
#include "zsend/resend.h"

#include "common/base/error.h"

namespace zx {

SentBlock send_again(Link& link, const SourceFile& file, uint64_t id, uint64_t offset,
                     uint32_t length) {
  const PrivateBlock again = read_private_block(file, offset, length);
  link.queue_data_header(id, offset, length, kFlagResent);
  link.channel().send(link.take_queued(), More::Yes);
  link.channel().send(again.bytes, More::Yes);
  link.payload_done();
  link.queue(FrameType::DataDigest, id, offset,
             encode(BlockDigest{again.block.length, again.block.digest}));
  return again.block;
}

void count_retry(uint64_t* resent) {
  if (++*resent > kMaxBlockRetries)
    throw Error(ExitStatus::Protocol, "peer asked for one block too often");
}

}  // namespace zx
