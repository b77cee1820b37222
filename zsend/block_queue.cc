// SPDX-License-Identifier: MIT
#include "zsend/block_queue.h"

#include <algorithm>

namespace zx {
namespace {

constexpr uint16_t kFurtherAttempts = 8;

}  // namespace

// One that a further connection could not deliver so often goes over the first one, which has its
// own time limit: a path that lets no further connection live must not end the session.
bool BlockQueue::is_shared(const Block& block) {
  return !block.in_order && block.attempt < kFurtherAttempts;
}

void BlockQueue::update() {
  if (closed_ || std::ranges::any_of(blocks_, is_shared))
    event_.set();
  else
    event_.clear();
}

bool BlockQueue::offer(Block block) {
  const std::lock_guard lock(mutex_);
  if (blocks_.size() >= capacity_) return false;
  blocks_.push_back(std::move(block));
  update();
  return true;
}

void BlockQueue::give_back(std::vector<Block> blocks) {
  const std::lock_guard lock(mutex_);
  blocks_.insert(blocks_.begin(), std::make_move_iterator(blocks.begin()),
                 std::make_move_iterator(blocks.end()));
  update();
}

std::optional<Block> BlockQueue::take() {
  return take_if(is_shared);
}

std::optional<Block> BlockQueue::take_for_first(bool any) {
  return take_if([any](const Block& block) { return any || !is_shared(block); });
}

std::optional<Block> BlockQueue::take_returned(uint64_t entry, uint64_t offset) {
  return take_if([&](const Block& block) {
    return block.attempt > 0 && block.entry == entry && block.offset == offset;
  });
}

std::optional<Block> BlockQueue::take_if(const std::function<bool(const Block&)>& wanted) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find_if(blocks_, wanted);
  if (found == blocks_.end()) return std::nullopt;
  Block block = std::move(*found);
  blocks_.erase(found);
  update();
  return block;
}

void BlockQueue::drop(uint64_t entry) {
  const std::lock_guard lock(mutex_);
  std::erase_if(blocks_, [&](const auto& b) { return b.entry == entry; });
  update();
}

void BlockQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  update();
}

}  // namespace zx
