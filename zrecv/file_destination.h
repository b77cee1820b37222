// SPDX-License-Identifier: MIT
// FileDestination: which name in which held directory an entry gets. The rules are those of cp and
// scp: an existing directory receives entries by their names, anything else is the new name; -T
// never nests; several sources need a directory. The root is opened once; what the peer names is
// walked below it (file/held_dir.h).
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/file/held_dir.h"
#include "common/wire/message.h"
#include "zrecv/destination.h"

namespace zx {

/// Where one entry goes.
struct Target {
  const HeldDir* dir = nullptr;         // owned by the FileDestination
  std::string name;                     // one safe component
  std::optional<struct stat> existing;  // what has the name now; the caller looks
};

class FileDestination final : public Destination {
 public:
  /// Opens the operator's path. Throws Error{FileIo} when it cannot be a destination, or is a
  /// directory and -T was given.
  FileDestination(const std::string& path, bool no_target_directory);

  /// As the other aim(), with what the sender has named.
  void aim(const Negotiated& agreed, bool pull) override;
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry) override;

  /// What the peer's operator wrote after zs://host/, below the root; before the first
  /// target_for(). Throws Error{Refused} for an unsafe path, Error{FileIo} for one that leads
  /// nowhere.
  void aim(const std::vector<std::string>& path, bool path_is_directory, bool no_target_directory);

  /// Throws Error{Refused} for an unsafe name, or for a second entry when there is one name only.
  Target target_for(const EntryInfo& entry);

 private:
  std::unique_ptr<HeldDir> dir_;  // at a fixed address: targets point to it
  std::string fixed_name_;        // empty: entries keep their names
  bool fixed_name_taken_ = false;
};

}  // namespace zx
