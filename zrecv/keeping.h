// SPDX-License-Identifier: MIT
// Keeping: what of an entry's metadata is kept here. The one place that decides it; the table for
// people is in zsend-transfer(7), METADATA.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <optional>
#include <string>

#include "common/file/attributes.h"
#include "common/file/held_dir.h"
#include "common/session/session.h"

namespace zx {

struct Keeping {
  // Whoever of both has asked for it.
  bool times = false;
  bool user_xattrs = false;
  // Only when the operator of this side has: what gives rights here, or takes them.
  bool full_mode = false;    // permission bits as they are, without the umask
  bool rights = false;       // owner, group, ACLs; set-id and sticky bits; any extended attribute
  bool foreign_ids = false;  // of whom nobody here has the name: only root may

  /// `own`: what the operator of this side has asked for; he may have done so at the other end.
  static Keeping of(const Terms& own, const Negotiated& agreed);
};

/// Metadata of one entry, on its way to the file.
class Metadata {
 public:
  /// Takes attributes out of `info`, in terms of this machine. Blocking.
  Metadata(EntryInfo& info, const Keeping& keeping, Principals& principals);

  /// Owner, group and ACLs are those that came: what the file replaces has no say in them.
  bool replaces_rights() const { return keeping_.rights && attributes_; }
  /// Whether a file that is here belongs to whom this one would.
  bool has_owner_of(const struct stat& file) const {
    const auto owner = replaces_rights() ? attributes_->owner : std::nullopt;
    return file.st_uid == owner.value_or(geteuid());
  }
  const timespec* time() const { return keeping_.times ? &mtime_ : nullptr; }
  bool full_mode() const { return keeping_.full_mode; }

  // Each of these throws as in attributes.h.

  /// Of a new file all but its mode and time; returns which of the bits 07000 go with it.
  mode_t set_file(int fd, const std::string& what, Caveats& caveats);
  /// Of the file `now` of this name, which is there already: whether anything of that is another.
  bool is_outdated(const HeldDir& dir, const std::string& name, const struct stat& now) const;
  /// After that: sets it, on the open file.
  void refresh_file(int fd, const std::string& what, Caveats& caveats);
  /// Of a directory its extended attributes; clear: it was there before, and keeps no others.
  void set_xattrs(int fd, bool clear, const std::string& what, Caveats& caveats);
  /// And the rest, as of a file.
  mode_t set_directory(int fd, const std::string& what, Caveats& caveats);
  /// Permission bits of what is new in a directory where it may have these.
  mode_t mode_of_new(mode_t most) const {
    return mode_ & (keeping_.full_mode ? mode_t{0777} : most);
  }

  /// Of a symbolic link of this name.
  void set_link_owner(const HeldDir& dir, const std::string& name, Caveats& caveats);
  /// They are set.
  void forget_xattrs() {
    if (attributes_) attributes_->xattrs = {};
  }
  void forget() { attributes_.reset(); }

 private:
  void drop_acl_mask();
  OwnerKept set_owner(int fd, const std::string& what, Caveats& caveats);
  void set_acl(int fd, const char* kind, const std::string& value, const std::string& what,
               Caveats& caveats);
  mode_t special_bits(OwnerKept kept, Caveats& caveats) const;

  Keeping keeping_;
  std::optional<LocalAttributes> attributes_;
  mode_t mode_ = 0;  // 07777
  timespec mtime_{};
};

}  // namespace zx
