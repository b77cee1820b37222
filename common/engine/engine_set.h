// SPDX-License-Identifier: MIT
// The engines of one connection and of those that replace it, used by its thread only: facts about
// each file, the policy's choice from them, and the engine it names, made when the first file needs
// it. Decides nothing itself. What was used, and why, is in the report.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/engine/block_receiver.h"
#include "common/engine/block_sender.h"
#include "common/engine/policy.h"
#include "common/file/source_file.h"
#include "common/net/channel.h"
#include "common/wire/message.h"

namespace zx {

/// What the operator said about engines.
struct EngineOptions {
  std::optional<Engine> asked;  // --engine; nothing for auto
  size_t buffer_bytes = 0;      // --buffer-size, a multiple of 4096; 0: the engine's own
};

/// An engine that was used, and every reason there was for it, each once.
struct UsedEngine {
  Engine engine{};
  std::vector<std::string> reasons;
};
/// Adds what is not there yet.
void note_used(std::vector<UsedEngine>& used, Engine engine, const std::string& reason);
/// Names with commas between. The reasons are told apart by names when there are several engines.
PathReport report_of(const std::vector<UsedEngine>& used, const char* tls_form);

/// Engines over one channel after another. Base: BlockSender or BlockReceiver.
template <typename Base>
class EngineShelf {
 public:
  /// The engine for a choice; make() is called when there is none yet.
  template <typename Make>
  Base& get(const Choice& choice, Make&& make) {
    auto item = std::ranges::find_if(items_, [&](const Item& i) {
      return i.choice.engine == choice.engine && i.choice.uncached == choice.uncached;
    });
    if (item == items_.end()) item = items_.insert(items_.end(), Item{choice, make(), {}});
    if (std::ranges::find(item->reasons, choice.why) == item->reasons.end())
      item->reasons.push_back(choice.why);
    return *item->made;
  }
  /// What was used. The first reason of each comes from the engine itself: it knows what has become
  /// of it.
  std::vector<UsedEngine> used() const {
    std::vector<UsedEngine> out = past_;
    for (const Item& item : items_) {
      note_used(out, item.made->engine(), item.made->why());
      for (size_t i = 1; i < item.reasons.size(); ++i)
        note_used(out, item.made->engine(), item.reasons[i]);
    }
    return out;
  }
  bool any(bool (Base::*is)() const) const {
    return std::ranges::any_of(items_, [&](const Item& item) { return (*item.made.*is)(); });
  }
  /// Drops the engines, keeps what was used.
  void clear() {
    past_ = used();
    items_.clear();
  }

 private:
  struct Item {
    Choice choice;
    std::unique_ptr<Base> made;
    std::vector<std::string> reasons;
  };
  std::vector<Item> items_;
  std::vector<UsedEngine> past_;
};

class SendEngines {
 public:
  /// The channel must outlive it, or be replaced by use().
  SendEngines(Channel& channel, const EngineOptions& options);

  /// What the policy wants to know of a source. Before its first byte is read, and once: reading
  /// changes the answer.
  SourceFacts look_at(const SourceFile& file) const;
  /// The engine for a source with these facts, over the channel of now.
  BlockSender& pick(const SourceFacts& source);
  /// Files were sent from memory, many in one call: no engine had to do with it.
  void note_gathered() { gathered_ = true; }
  /// From here on over another channel. References from pick() end here.
  void use(Channel& channel);
  PathReport report();
  const EngineOptions& options() const { return options_; }

 private:
  Channel* channel_;
  const EngineOptions options_;
  const size_t pipe_bytes_;
  EngineShelf<BlockSender> shelf_;
  bool gathered_ = false;
};

class RecvEngines {
 public:
  RecvEngines(Channel& channel, const EngineOptions& options);

  /// What the policy wants to know of a file that is to get `size` bytes and then maybe a sync.
  SinkFacts look_at(int file, uint64_t size, bool synced) const;
  BlockReceiver& pick(const SinkFacts& sink);
  void use(Channel& channel);
  PathReport report();
  const EngineOptions& options() const { return options_; }

 private:
  Channel* channel_;
  const EngineOptions options_;
  SplicePipe pipe_;  // when an engine has taken it, only its size is left
  EngineShelf<BlockReceiver> shelf_;
  bool disk_is_behind_ = false;  // once found, for all that comes after
};

}  // namespace zx
