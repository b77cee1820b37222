// SPDX-License-Identifier: MIT
#include "zrecv/file_destination.h"

#include <stdlib.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/file/name.h"
#include "common/file/operator_file.h"
#include "common/file/replace.h"
#include "zrecv/linked_files.h"

namespace zx {
namespace {

// Whether a file can be made in one of its directories. One that cannot be seen may have some.
bool may_hold_new_below(const HeldDir& dir) {
  const auto name = dir.find([&](const dirent& d) {
    const std::string_view child_name = d.d_name;
    if (child_name == "." || child_name == ".." || (d.d_type != DT_DIR && d.d_type != DT_UNKNOWN))
      return false;
    try {
      const auto child = dir.open_child(d.d_name);
      if (child) check_can_hold_new(*child);
      return child.has_value();
    } catch (const Error&) {
      return false;
    }
  });
  return name != "";
}

std::string parent_of(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// One that a dry run does not make.
std::shared_ptr<TargetDir> absent(HeldDir dir) {
  auto out = std::make_shared<TargetDir>(std::move(dir));
  out->ours_alone = true;
  return out;
}

// The operator's own symbolic link to a file means that file, as for cp and scp: the rename must
// replace what it points to, not the link.
std::string resolve_final_link(const std::string& path) {
  struct stat st {};
  if (lstat(path.c_str(), &st) != 0 || !S_ISLNK(st.st_mode)) return path;
  refuse_foreign_link(path, "destination");
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), free);
  if (!real) throw_file_errno(quote(path) + ": follow the symbolic link", errno);
  return real.get();
}

// What either side leaves out stays.
std::vector<Filter> kept_by(const Negotiated& agreed) {
  try {
    return {Filter(agreed.filter), Filter(agreed.filter_peer)};
  } catch (const Error& error) {
    throw Error(ExitStatus::Protocol, std::string("peer sent a bad filter: ") + error.what());
  }
}

}  // namespace

FileDestination::FileDestination(const std::string& path, const Terms& wishes, bool listens)
    : wishes_(wishes) {
  const auto hold = [&](const std::string& directory) {
    open_.push_back(std::make_shared<TargetDir>(HeldDir::open_operator_path(directory)));
  };
  refuse_planted_links(path, "destination");
  if (wishes.mkdir && !wishes.dry_run) make_directories(path);
  struct stat st {};
  const bool exists = stat(path.c_str(), &st) == 0;
  if (!exists && errno != ENOENT) throw_file_errno(quote(path), errno);
  if (!exists && wishes.mkdir) {
    open_.push_back(absent(HeldDir::absent_operator_path(path)));
    becomes_first_ = wishes.no_target_directory;
    return;
  }
  const bool directory = exists && S_ISDIR(st.st_mode);
  if (directory && wishes.no_target_directory && !wishes.recursive)
    throw Error(ExitStatus::FileIo, quote(path) + ": is a directory, and -T was given");
  if (directory) {
    hold(path);
    becomes_first_ = wishes.no_target_directory;
    try {
      check_can_hold_new(root());
    } catch (const Error& error) {
      // A sender may name a directory below it that can.
      if (!listens || !may_hold_new_below(root())) throw;
      not_here_ = error;
    }
    return;
  }
  if (path.ends_with('/'))
    throw Error(ExitStatus::FileIo,
                quote(path) + ": " + (exists ? "not a directory" : "no such directory"));
  if (exists && S_ISBLK(st.st_mode))
    throw Error(
        ExitStatus::FileIo,
        quote(path) +
            ": is a block device, and only zrecv --inplace on its own machine writes into one: "
            "zrecv --inplace --listen 7717 " +
            shell_word(path));
  if (exists && !S_ISREG(st.st_mode))
    throw Error(ExitStatus::FileIo, quote(path) + ": neither a regular file nor a directory");
  const std::string real = resolve_final_link(path);
  fixed_name_ = base_name(real);
  check_component(fixed_name_);
  hold(parent_of(real));
  check_can_hold_new(root());
}

FileDestination::FileDestination(HeldDir root, const std::string& path, const Negotiated& agreed)
    : wishes_(agreed) {
  wishes_.archive = false;
  open_.push_back(std::make_shared<TargetDir>(std::move(root)));
  becomes_first_ = agreed.no_target_directory && agreed.recursive;
  const std::vector<std::string> names = components_below(path);
  if (names.empty())
    check_can_hold_new(this->root());
  else
    go_below(names, path.ends_with('/'), agreed);
}

void FileDestination::aim(const Negotiated& agreed, bool pull) {
  keeping_ = Keeping::of(wishes_, agreed);
  if (agreed.deletes) {
    others_ = std::make_shared<Others>(kept_by(agreed), agreed.dry_run);
    delete_rules_ = {agreed.most_deleted, agreed.durability, agreed.preserve, agreed.dry_run};
  }
  find_target(agreed, pull);
  // Before the first of them is there. A pull with a path is for that one.
  const bool by_name = pull && !agreed.path.empty();
  if (agreed.several_sources && takes_one() && !by_name) refuse_several();
}

void FileDestination::refuse_several() const {
  throw Error(ExitStatus::Refused,
              (becomes_first_ ? quote(root().path()) : root().describe(fixed_name_)) +
                  ": several sources need a directory as destination (--mkdir makes one)");
}

void FileDestination::find_target(const Negotiated& agreed, bool pull) {
  const auto& path = agreed.path;
  if (pull || path.empty()) {
    if (not_here_) throw Error(*not_here_);
    if (!agreed.no_target_directory || !fixed_name_.empty()) return;
    if (!agreed.recursive)
      throw Error(ExitStatus::FileIo,
                  quote(root().path()) + ": is a directory, and the peer asked for -T");
    becomes_first_ = true;
    return;
  }
  check_path(path);
  if (!fixed_name_.empty())
    throw Error(ExitStatus::Refused, "the peer named " + quote(join_path(path)) +
                                         ", but this side receives one file, " +
                                         quote(fixed_name_));
  go_below(path, agreed.path_is_directory, agreed);
}

void FileDestination::go_below(const std::vector<std::string>& path, bool is_directory,
                               const Negotiated& agreed) {
  if (agreed.mkdir && agreed.dry_run) return rehearse_going_below(path, agreed);
  root() = root().walk({path.data(), path.size() - 1}, agreed.mkdir);
  const std::string& last = path.back();
  auto child = agreed.mkdir ? root().make_child(last) : root().open_child(last);
  if (child && agreed.no_target_directory && !agreed.recursive)
    throw Error(ExitStatus::FileIo, root().describe(last) + ": is a directory, and -T was given");
  // With -T an existing directory becomes the one that is sent; a new name is just that.
  becomes_first_ = child && agreed.no_target_directory;
  if (child) {
    root() = std::move(*child);
  } else if (is_directory || agreed.mkdir) {
    throw Error(ExitStatus::FileIo, root().describe(last) + ": no such directory below the root");
  } else {
    fixed_name_ = last;
  }
  check_can_hold_new(root());
}

// As with --mkdir, but from the first that is missing on all are.
void FileDestination::rehearse_going_below(const std::vector<std::string>& path,
                                           const Negotiated& agreed) {
  for (const std::string& name : path) {
    const bool missing = open_.front()->is_absent() || !root().stat_child(name);
    if (missing && open_.front()->why_not_writable() != 0)
      throw_file_errno(root().describe(name) + ": make directory",
                       open_.front()->why_not_writable());
    auto child = missing ? root().absent_child(name) : root().open_child(name);
    if (!child)
      throw Error(ExitStatus::FileIo, root().describe(name) + ": no such directory below the root");
    open_.front() =
        missing ? absent(std::move(*child)) : std::make_shared<TargetDir>(std::move(*child));
  }
  becomes_first_ = agreed.no_target_directory;
  if (!open_.front()->is_absent()) check_can_hold_new(root());
}

Target FileDestination::target_for(const EntryInfo& entry) {
  check_entry_name(entry);
  const bool directory = entry.kind == EntryKind::Directory;
  const bool unnamed = entry.name.empty();
  if (open_.size() > 1) {
    if (unnamed) throw Error(ExitStatus::Refused, "unsafe name: a directory without one");
    return {open_.back(), entry.name[0]};
  }
  if (takes_one() && std::exchange(entry_taken_, true)) refuse_several();
  if (becomes_first_ && !directory)
    throw Error(ExitStatus::FileIo, quote(root().path()) + ": is a directory, and -T was given");
  if (becomes_first_) return {open_.back(), ""};
  if (!fixed_name_.empty()) return {open_.back(), fixed_name_};
  return {open_.back(), unnamed ? "" : entry.name[0]};
}

std::unique_ptr<Sink> FileDestination::sink_for(const EntryInfo& entry, WakeFd& /*event*/) {
  return make_sink(target_for(entry), entry);
}

Destination::Place FileDestination::place_for(const EntryInfo& entry) {
  return [this, target = target_for(entry)](const EntryInfo& of) { return make_sink(target, of); };
}

std::unique_ptr<Sink> FileDestination::make_sink(Target target, const EntryInfo& entry) {
  EntryInfo info = entry;
  Metadata metadata(info, keeping_, principals_);
  if (!links_) links_ = std::make_shared<LinkedFiles>(open_.front());
  switch (info.kind) {
    case EntryKind::Symlink:
      return make_symlink_sink(std::move(target), info, std::move(metadata));
    case EntryKind::HardLink:
      return make_hard_link_sink(std::move(target), info, std::move(metadata), links_);
    default:
      return make_file_sink(std::move(target), info, std::move(metadata), links_);
  }
}

std::unique_ptr<Sink> FileDestination::enter(const EntryInfo& entry) {
  const Target target = target_for(entry);
  auto self = target.parent;  // what has no name of its own is the destination
  if (target.relative().size() + kMaxNameBytes > kMaxTreePathBytes)
    throw Error(ExitStatus::Protocol, "peer sent directories of more than 16 KiB of names");
  if (!target.name.empty()) {
    self = std::make_shared<TargetDir>(target.dir().absent_child(target.name),
                                       target.relative() + "/");
    self->top = open_.size() > 1 ? target.parent->top : self->prefix.size();
    // One cause, one text: what is the same for many is said once.
    self->failure =
        target.parent->failure
            ? target.parent->failure
            : Error(ExitStatus::FileIo,
                    quote(self->dir.path()) + ": not made here, so nothing can come into it");
  }
  open_.push_back(self);
  EntryInfo info = entry;
  return make_directory_sink(target, Metadata(info, keeping_, principals_), std::move(self),
                             others_);
}

std::unique_ptr<Deleter> FileDestination::deleter(const NameSet* names) {
  if (!others_) return nullptr;
  if (names != nullptr && !open_.front()->is_absent()) others_->look(root(), "", 0, *names);
  return std::make_unique<Deleter>(root(), *others_, delete_rules_);
}

}  // namespace zx
