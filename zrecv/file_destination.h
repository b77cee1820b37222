// SPDX-License-Identifier: MIT
// FileDestination: which name in which held directory an entry gets. The rules are those of cp and
// scp: an existing directory receives entries by their names, anything else is the new name; -T
// never nests; several sources need a directory. The root is opened once; what the peer names is
// walked below it (file/held_dir.h).
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>

#include "common/file/held_dir.h"
#include "common/wire/message.h"
#include "zrecv/destination.h"

namespace zx {

/// Where one entry goes.
struct Target {
  const HeldDir* dir = nullptr;  // owned by the FileDestination
  std::string name;              // one safe component
};

/// What a run has made in the destination so far, and found out about it. Thread-safe.
class RunFiles {
 public:
  void add(const struct stat& file);
  bool contains(const struct stat& file) const;

  std::atomic<bool> can_appear{false};  // TempFile::check_can_appear() has said so

 private:
  mutable std::mutex mutex_;
  std::unordered_set<uint64_t> made_;
};

class FileDestination final : public Destination {
 public:
  /// Opens the operator's path. mkdir: it is a directory, and is made with its parents where it is
  /// missing. keep_full_mode: permission bits are the sender's, without the
  /// umask. listens: a sender may name a directory below it. Throws Error{FileIo} when it cannot be
  /// a destination, or is a directory and -T was given.
  FileDestination(const std::string& path, bool no_target_directory, bool keep_full_mode = false,
                  bool mkdir = false, bool listens = false);

  /// What a path of the peer's operator means below a root that this side has set him. Throws
  /// Error{Refused} for one that leads out of it, Error{FileIo} for one that leads nowhere.
  FileDestination(HeldDir root, const std::string& path, const Negotiated& agreed);

  /// A push goes to what the peer's operator wrote after zs://host/, below the root. Throws
  /// Error{Refused} for an unsafe path, Error{FileIo} for one that leads nowhere.
  void aim(const Negotiated& agreed, bool pull) override;
  /// A temporary file beside its target until the commit.
  std::unique_ptr<Sink> sink_for(const EntryInfo& entry, WakeFd& event) override;

  /// Throws Error{Refused} for an unsafe name, or for a second entry when there is one name only.
  Target target_for(const EntryInfo& entry);

 private:
  void go_below(const std::vector<std::string>& path, bool is_directory, const Negotiated& agreed);

  const bool keep_full_mode_;
  std::unique_ptr<HeldDir> dir_;  // at a fixed address: targets point to it
  std::string fixed_name_;        // empty: entries keep their names
  bool fixed_name_taken_ = false;
  std::optional<Error> not_here_;  // why nothing can be made in the root itself
  RunFiles files_;
};

}  // namespace zx
