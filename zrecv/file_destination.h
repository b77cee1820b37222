// SPDX-License-Identifier: MIT
// FileDestination: which name in which held directory an entry gets. The rules are those of cp and
// scp: an existing directory receives entries by their names, anything else is the new name; -T
// never nests; several sources need a directory. The root is opened once; what the peer names is
// walked below it (file/held_dir.h).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/wire/message.h"
#include "zrecv/deleter.h"
#include "zrecv/destination.h"
#include "zrecv/file_sink.h"

namespace zx {

class FileDestination final : public Destination {
 public:
  /// Opens the operator's path. Of his wishes: mkdir: it is a directory, and is made with its
  /// parents where it is missing. preserve, archive: see Keeping.
  /// recursive: with -T it may be a directory, and then becomes the one that is sent. `listens`: a
  /// sender may name a directory below it. Throws Error{FileIo} when it cannot be a destination, or
  /// is a directory, -T was given and it may not.
  FileDestination(const std::string& path, const Terms& wishes, bool listens);

  /// What a path of the peer's operator means below a root that this side has set him. Throws
  /// Error{Refused} for one that leads out of it, Error{FileIo} for one that leads nowhere.
  /// He has no word in who owns what here.
  FileDestination(HeldDir root, const std::string& path, const Negotiated& agreed);

  /// A push goes to what the peer's operator wrote after zs://host/, below the root. Throws
  /// Error{Refused} for an unsafe path, Error{FileIo} for one that leads nowhere.
  void aim(const Negotiated& agreed, bool pull) override;
  int place() const override { return root().fd(); }
  /// A temporary file beside its target until the commit.
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry, WakeFd& event) override;
  Place place_for(const EntryInfo& entry) override;
  std::unique_ptr<Sink> enter(const EntryInfo& entry) override;
  void leave() override { open_.pop_back(); }
  std::unique_ptr<Deleter> deleter(const NameSet* names) override;

  /// Throws Error{Refused} for an unsafe name, or for a second entry when there is one name only.
  Target target_for(const EntryInfo& entry);

 private:
  HeldDir& root() { return open_.front()->dir; }
  const HeldDir& root() const { return open_.front()->dir; }
  bool takes_one() const { return becomes_first_ || !fixed_name_.empty(); }
  std::unique_ptr<Sink> make_sink(Target target, const EntryInfo& entry);
  [[noreturn]] void refuse_several() const;
  void find_target(const Negotiated& agreed, bool pull);
  void rehearse_going_below(const std::vector<std::string>& path, const Negotiated& agreed);
  void go_below(const std::vector<std::string>& path, bool is_directory, const Negotiated& agreed);

  Terms wishes_;
  Keeping keeping_;  // from aim() on
  Principals principals_;
  DeleteRules delete_rules_;
  std::shared_ptr<Others> others_;                // from aim() on, with --delete
  std::shared_ptr<LinkedFiles> links_;            // from the first entry on
  std::vector<std::shared_ptr<TargetDir>> open_;  // the first is the destination
  std::string fixed_name_;                        // empty: entries keep their names
  bool becomes_first_ = false;     // -T: the one entry is a directory, and is this one
  bool entry_taken_ = false;       // where there is one name only
  std::optional<Error> not_here_;  // why nothing can be made in the destination itself
};

}  // namespace zx
