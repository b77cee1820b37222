// SPDX-License-Identifier: MIT
// Destination: which name in which held directory an entry gets. The rules are those of cp and scp:
// an existing directory receives entries by their names, anything else is the new name; -T never
// nests; several sources need a directory. The root is opened once; what the peer names is walked
// below it (file/held_dir.h).
#pragma once

#include <sys/stat.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/file/held_dir.h"
#include "common/file/in_place_file.h"
#include "common/wire/message.h"

namespace zx {

/// Where one entry goes.
struct Target {
  const HeldDir* dir = nullptr;           // owned by the Destination
  std::string name;                       // one safe component
  std::optional<struct stat> existing;    // what has the name now; the caller looks
  std::shared_ptr<InPlaceFile> in_place;  // written where it is; nothing: a new file takes the name
};

class Destination {
 public:
  /// Opens the operator's path. Throws Error{FileIo} when it cannot be a destination, or is a
  /// directory and -T was given.
  Destination(const std::string& path, bool no_target_directory);
  /// The same for --inplace: path is the file or device that is written, opened now.
  static Destination in_place(const std::string& path);

  /// What the peer's operator wrote after zs://host/, below the root; before the first
  /// target_for(). Throws Error{Refused} for an unsafe path, Error{FileIo} for one that leads
  /// nowhere.
  void aim(const std::vector<std::string>& path, bool path_is_directory, bool no_target_directory);

  /// Throws Error{Refused} for an unsafe name, or for a second entry when there is one name only.
  Target target_for(const EntryInfo& entry);
  /// What is written in place; nothing without --inplace.
  const std::shared_ptr<InPlaceFile>& file_in_place() const { return in_place_; }

 private:
  Destination() = default;

  std::unique_ptr<HeldDir> dir_;  // at a fixed address: targets point to it
  std::string fixed_name_;        // empty: entries keep their names
  bool fixed_name_taken_ = false;
  std::shared_ptr<InPlaceFile> in_place_;
};

/// What --overwrite says about one existing file.
enum class Existing { Replace, Skip, Refuse };

/// Pure. Both sides' rules count and the stricter wins; Unset allows.
Existing decide_existing(Overwrite here, Overwrite peer, const struct stat& existing,
                         const EntryInfo& entry);

}  // namespace zx
