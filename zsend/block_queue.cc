// SPDX-License-Identifier: MIT
#include "zsend/block_queue.h"

namespace zx {

void BlockQueue::update() {
  if (blocks_.empty() && !closed_)
    event_.clear();
  else
    event_.set();
}

bool BlockQueue::offer(QueuedBlock block) {
  const std::lock_guard lock(mutex_);
  if (blocks_.size() >= capacity_) return false;
  blocks_.push_back(std::move(block));
  update();
  return true;
}

void BlockQueue::give_back(std::vector<QueuedBlock> blocks) {
  const std::lock_guard lock(mutex_);
  for (QueuedBlock& block : blocks) ++block.attempt;
  blocks_.insert(blocks_.begin(), std::make_move_iterator(blocks.begin()),
                 std::make_move_iterator(blocks.end()));
  update();
}

std::optional<QueuedBlock> BlockQueue::take() {
  const std::lock_guard lock(mutex_);
  if (blocks_.empty()) return std::nullopt;
  QueuedBlock block = std::move(blocks_.front());
  blocks_.pop_front();
  update();
  return block;
}

size_t BlockQueue::drop(uint64_t entry) {
  const std::lock_guard lock(mutex_);
  const size_t count = std::erase_if(blocks_, [&](const auto& b) { return b.entry == entry; });
  update();
  return count;
}

void BlockQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  update();
}

bool BlockQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

}  // namespace zx
