// SPDX-License-Identifier: MIT
#include "zrecv/file_sink.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/file/replace.h"
#include "common/file/space.h"
#include "common/file/take_over.h"
#include "common/file/temp_file.h"
#include "zrecv/destination.h"
#include "zrecv/linked_files.h"

namespace zx {
namespace {

// All is in a few file systems, so that two do not meet in practice.
uint64_t key_of(const struct stat& file) {
  return file.st_ino + file.st_dev * 0x9e3779b97f4a7c15;
}

[[noreturn]] void refuse_other_name(const Target& target, const struct stat& existing) {
  const std::string first =
      target.dir().find([&](const dirent& d) { return d.d_ino == existing.st_ino; }).value_or("");
  const bool known = !first.empty() && first != target.name;
  throw Error(ExitStatus::Refused,
              target.dir().describe(target.name) +
                  (known ? ": " + quote(first) + " and " + quote(target.name) + " are one file here"
                         : ": the same file here as another entry of this run"));
}

// What gets its name at the commit, and has a temporary one beside it until then.
class NamedSink : public Sink {
 public:
  NamedSink(Target target, const EntryInfo& info, Metadata metadata)
      : info_(info),
        target_(std::move(target)),
        dir_(target_.dir()),
        metadata_(std::move(metadata)),
        name_(target_.relative()) {}

  const std::string& name() const override { return name_; }
  std::string output_name() const override { return dir_.path_of(target_.name); }
  std::string describe() const override { return dir_.describe(target_.name); }

  std::string look(const Negotiated& agreed) override {
    agreed_ = &agreed;
    // With its words: what is the same for many is said once.
    if (target_.parent->failure) throw Error(*target_.parent->failure);
    // What is there all the same, or by another way to write its name, shows at the commit.
    existing_ =
        target_.parent->ours_alone && !looked_ ? std::nullopt : dir_.stat_child(target_.name);
    looked_ = true;
    if (!existing_) return "";
    // Upper and lower case, or two ways to write an accent, may be one name here.
    if (target_.parent->files.contains(*existing_)) refuse_other_name(target_, *existing_);
    // --overwrite is about files: what is none stays, whatever that says.
    std::string why;
    if (S_ISREG(existing_->st_mode) || S_ISLNK(existing_->st_mode))
      why = why_left_alone(agreed, *existing_, info_, describe(), keeps_even_seconds(dir_.fd()));
    if (why.empty()) check_can_be_replaced(dir_, target_.name);
    return why;
  }
  void publish(uint64_t size) override {
    // What has appeared or changed since then counts as if it had been there.
    if (existing_) look_again();
    while (!temp_->commit(existing_          ? Replace::Yes
                          : never_replaces() ? Replace::No
                                             : Replace::Nothing,
                          size, target_.parent->ours_alone))
      look_again();
    target_.parent->files.add(temp_->written());
  }
  const HeldDir* directory() const override { return &dir_; }

 protected:
  const Negotiated& agreed() const { return *agreed_; }
  // What is left alone is so because it has size and time of the entry, not by another rule.
  bool only_differs() const {
    bool differ = false;
    for (const Overwrite rule : {agreed_->overwrite, agreed_->overwrite_peer}) {
      if (rule == Overwrite::Skip || rule == Overwrite::Older) return false;
      differ = differ || rule == Overwrite::Differ;
    }
    return differ;
  }
  void rehearse_making(const char* call) {
    if (const int error = target_.parent->why_not_writable(); error != 0)
      throw_file_errno(describe() + ": " + call, error);
  }
  bool never_replaces() const {
    for (const Overwrite rule : {agreed_->overwrite, agreed_->overwrite_peer})
      if (rule == Overwrite::Never || rule == Overwrite::Skip) return true;
    return false;
  }

  const EntryInfo info_;
  const Target target_;
  const HeldDir& dir_;
  Metadata metadata_;
  std::optional<struct stat> existing_;
  std::optional<TempFile> temp_;

 private:
  void look_again() {
    if (const std::string why = look(*agreed_); !why.empty())
      throw Error(ExitStatus::Refused, describe() + ": has changed meanwhile: " + why);
  }

  const std::string name_;
  const Negotiated* agreed_ = nullptr;
  bool looked_ = false;
};

// Up to here reserving space costs more than it tells: the write itself says at once whether there
// is room.
constexpr uint64_t kSmallBytes = 64 << 10;

class FileSink final : public NamedSink {
 public:
  FileSink(Target target, const EntryInfo& info, Metadata metadata,
           std::shared_ptr<LinkedFiles> links)
      : NamedSink(std::move(target), info, std::move(metadata)), links_(std::move(links)) {}

  std::string look(const Negotiated& agreed) override {
    std::string why = NamedSink::look(agreed);
    // What --overwrite leaves alone gets the other names all the same, when it is what was sent,
    // and not somebody else's: who may write to one directory would give a name to a file in
    // another.
    if (!why.empty() && info_.more_links && S_ISREG(existing_->st_mode) &&
        metadata_.has_owner_of(*existing_) &&
        is_taken_for(info_, *existing_, keeps_even_seconds(dir_.fd())))
      links_->add(info_.id, name(), *existing_);
    return why;
  }

  // Not with a file of several names: who may write here could have given one to a file elsewhere.
  void refresh() override {
    const auto is_it = [&](const struct stat& st) {
      return st.st_dev == existing_->st_dev && st.st_ino == existing_->st_ino &&
             S_ISREG(st.st_mode) && st.st_nlink == 1;
    };
    if (!only_differs() || !is_it(*existing_) ||
        !metadata_.is_outdated(dir_, target_.name, *existing_))
      return;
    const UniqueFd fd(openat(dir_.fd(), target_.name.c_str(),
                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    if (!fd.valid()) return caveat_or_throw(Caveat::Mode, describe() + ": open", errno, caveats);
    struct stat now {};
    if (fstat(fd.get(), &now) != 0 || !is_it(now)) return;  // somebody is at it
    metadata_.refresh_file(fd.get(), describe(), caveats);
    if (agreed().durability != Durability::None)
      sync_to_disk(fd.get(), describe() + ": sync", caveats);
  }
  void open() override {
    temp_.emplace(dir_, target_.name);
    if (never_replaces() && !target_.parent->files.can_appear) {
      temp_->check_can_appear();
      target_.parent->files.can_appear = true;
    }
    if (info_.open_ended || info_.size <= kSmallBytes) return;
    // A size that no file can have here is found before anything of it comes.
    info_.sparse ? temp_->truncate(info_.size) : temp_->preallocate(info_.size);
  }
  void rehearse() override { rehearse_making("create temporary file beside it"); }
  int fd() const override { return temp_->fd(); }
  void finish(uint64_t size) override {
    temp_->truncate(size);
    std::optional<mode_t> mode;
    if (existing_ && S_ISREG(existing_->st_mode) && !metadata_.replaces_rights())
      mode = take_over(fd(), dir_, target_.name, *existing_, caveats);
    const mode_t special = metadata_.set_file(fd(), describe(), caveats);
    if (!mode || metadata_.full_mode())
      mode = metadata_.mode_of_new(target_.parent->most_bits_of_new()) | special;
    temp_->set_metadata(*mode, metadata_.time(), caveats);
  }

  void sync() override { temp_->sync(caveats); }
  UniqueFd reopen() override { return temp_->reopen(); }
  void close() override {
    temp_->close();
    metadata_.forget();
  }
  void publish(uint64_t size) override {
    NamedSink::publish(size);
    if (info_.more_links) links_->add(info_.id, name(), temp_->written());
  }

 private:
  const std::shared_ptr<LinkedFiles> links_;
};

// Another name of a file that this run has committed. All else is with that.
class HardLinkSink final : public NamedSink {
 public:
  HardLinkSink(Target target, const EntryInfo& info, Metadata metadata,
               std::shared_ptr<LinkedFiles> links)
      : NamedSink(std::move(target), info, std::move(metadata)), links_(std::move(links)) {}
  // Also of one that was left alone or has failed.
  ~HardLinkSink() override {
    if (!info_.more_links) links_->drop_when_full(info_.linked_to);
  }

  void open() override {}
  void rehearse() override { rehearse_making("make hard link"); }
  int fd() const override { return -1; }
  void finish(uint64_t /*size*/) override {}
  void publish(uint64_t /*size*/) override {
    const Defer drop([&] {
      if (!info_.more_links) links_->drop(info_.linked_to);
    });
    const auto now = dir_.stat_child(target_.name);
    if (now && links_->is_it(info_.linked_to, *now)) {  // as an earlier run has left it
      if (target_.parent->files.contains(*now)) refuse_other_name(target_, *now);
      return;
    }
    links_->link_into(temp_, info_.linked_to, dir_, target_.name);
    NamedSink::publish(static_cast<uint64_t>(temp_->written().st_size));
  }

 private:
  const std::shared_ptr<LinkedFiles> links_;
};

// A link is opaque text, and is never followed.
class SymlinkSink final : public NamedSink {
 public:
  using NamedSink::NamedSink;

  std::string look(const Negotiated& agreed) override {
    std::string why = NamedSink::look(agreed);
    // Two of one length and time may lead to different places.
    if (why.empty() || !only_differs() || dir_.link_target(target_.name) == info_.target)
      return why;
    check_can_be_replaced(dir_, target_.name);
    return "";
  }

  void open() override { temp_.emplace(dir_, target_.name, info_.target); }
  void rehearse() override { rehearse_making("make symbolic link"); }
  int fd() const override { return -1; }
  void finish(uint64_t /*size*/) override {
    metadata_.set_link_owner(dir_, temp_->temp_name(), caveats);
    if (metadata_.time() != nullptr) temp_->set_link_time(*metadata_.time(), caveats);
  }
  void publish(uint64_t /*size*/) override {
    // Not the length of its target: some file systems keep that encrypted.
    NamedSink::publish(static_cast<uint64_t>(temp_->written().st_size));
  }
};

}  // namespace

int TargetDir::why_not_writable() {
  if (!why_not_writable_)
    why_not_writable_ =
        is_absent() || faccessat(dir.fd(), ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
  return *why_not_writable_;
}

void RunFiles::add(const struct stat& file) {
  const std::lock_guard lock(mutex_);
  made_.insert(key_of(file));
}

bool RunFiles::contains(const struct stat& file) const {
  const std::lock_guard lock(mutex_);
  return made_.contains(key_of(file));
}

std::unique_ptr<Sink> make_file_sink(Target target, const EntryInfo& info, Metadata metadata,
                                     std::shared_ptr<LinkedFiles> links) {
  return std::make_unique<FileSink>(std::move(target), info, std::move(metadata), std::move(links));
}

std::unique_ptr<Sink> make_hard_link_sink(Target target, const EntryInfo& info, Metadata metadata,
                                          std::shared_ptr<LinkedFiles> links) {
  return std::make_unique<HardLinkSink>(std::move(target), info, std::move(metadata),
                                        std::move(links));
}

std::unique_ptr<Sink> make_symlink_sink(Target target, const EntryInfo& info, Metadata metadata) {
  return std::make_unique<SymlinkSink>(std::move(target), info, std::move(metadata));
}

}  // namespace zx
