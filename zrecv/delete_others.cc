// SPDX-License-Identifier: MIT
// The part of EntryReceiver that deletes what the source does not have, when all is committed.
#include "common/base/error.h"
#include "zrecv/entry_receiver.h"

namespace zx {

// Of a directory whose END says that it was told whole.
void EntryReceiver::note_whole(Verified& directory, bool whole) {
  if (!agreed_.deletes || !directory.sink) return;
  if (!directory.sink->name().empty()) {
    if (whole) directory.sink->is_whole(names_.names());
    return;
  }
  // The destination itself, into which others may still come.
  whole_ = whole_ && whole;
  own_names_ = names_.names();
}

// False as long as there is more to do. What was done stays done when the connection is lost.
bool EntryReceiver::delete_others() {
  if (!agreed_.deletes || deletion_) return true;
  const bool all_well = ledger_.failed() == 0 && ledger_.vanished() == 0;
  if (all_well && !deleter_) {
    console_.finishing(/*syncs=*/false);
    link_.with_heartbeats(
        [&] { deleter_ = destination_.deleter(whole_ ? own_names_.get() : nullptr); });
  }
  bool more = false;
  if (deleter_) {
    link_.with_heartbeats([&] { more = deleter_->go_on(); });
    for (const OthersWalk::Step& step : deleter_->take_staying()) {
      console_.not_deleted(step.why, step.path, step.failed);
      told_staying_ = told_staying_ || step.failed;
    }
    auto gone = deleter_->take_gone();
    for (const Deleted::Path& one : gone) console_.deleted(one.path);
    if (!gone.empty()) link_.queue(FrameType::Deleted, 0, 0, encode(Deleted{std::move(gone)}));
  }
  if (more) {
    event_.set();
    return false;
  }
  deletion_ = deleter_ ? deleter_->result() : Deletion{};
  if (!all_well)
    deletion_->reason = ledger_.failed() > 0
                            ? "nothing was deleted, because not everything went well"
                            : "nothing was deleted, because some of the source vanished meanwhile";
  ledger_.add(*deletion_);
  if (!told_staying_) console_.deletion(*deletion_, "");
  return true;
}

}  // namespace zx
