// SPDX-License-Identifier: MIT
#include "zrecv/stream_receivers.h"

#include "common/base/error.h"
#include "zrecv/block_writer.h"

namespace zx {

StreamReceivers::StreamReceivers(Session& session, uint16_t count, EntryTable& table,
                                 const EngineOptions& engines, Console& console)
    : table_(table),
      engines_(engines),
      console_(console),
      streams_(session, count - 1U, [&](const std::string& text) { console_.detail(text); }) {
  streams_.start([this](StreamSet::Stream& stream) { return serve(stream); },
                 [this](uint32_t number) { table_.release(number); });
}

bool StreamReceivers::serve(StreamSet::Stream& stream) {
  Link& link = stream.link;
  RecvEngines engines(link.channel(), engines_);
  BlockWriter blocks(stream.number, link, engines, console_);
  const auto idle = link.channel().socket().idle_timeout();
  for (;;) {
    const Frame frame = link.read();
    const uint64_t id = frame.header.entry, offset = frame.header.offset;
    switch (frame.header.type) {
      case FrameType::Data:
        blocks.data(frame.header, table_.await(frame.header, idle),
                    [&](uint32_t rival) { streams_.evict(rival, stream.number); });
        break;
      case FrameType::DataDigest: {
        std::optional<uint32_t> ask_again;
        blocks.digest(frame.header, decode_block_digest(frame.body), &ask_again);
        if (ask_again) {
          console_.detail("connection " + std::to_string(stream.number) + ": the block at " +
                          std::to_string(offset) + " is not what was sent; asking for it again");
          link.send(FrameType::Retry, id, offset, encode_retry(*ask_again));
        } else {
          link.send(FrameType::Ack, id, offset, {});
        }
        if (!table_.failed().empty()) streams_.wake();
        break;
      }
      case FrameType::Switch:
        stream.prepare_next();
        link.send(FrameType::Switch, 0, 0, {});
        return true;
      case FrameType::Bye:
        (void)decode_bye(frame.body);
        return false;
      default:
        unexpected_frame(frame.header, "on a further connection");
    }
  }
}

}  // namespace zx
