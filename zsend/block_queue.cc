// SPDX-License-Identifier: MIT
#include "zsend/block_queue.h"

namespace zx {

void BlockQueue::update() {
  if (blocks_.empty() && !closed_)
    event_.clear();
  else
    event_.set();
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
  const std::lock_guard lock(mutex_);
  if (blocks_.empty()) return std::nullopt;
  Block block = std::move(blocks_.front());
  blocks_.pop_front();
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

bool BlockQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

bool BlockQueue::empty() const {
  const std::lock_guard lock(mutex_);
  return blocks_.empty();
}

}  // namespace zx
