// SPDX-License-Identifier: MIT
#include <sys/stat.h>
#include <unistd.h>

#include <optional>

#include "common/base/error.h"
#include "common/file/space.h"
#include "zrecv/file_sink.h"
#include "zrecv/others.h"

namespace zx {
namespace {

// Made at once, for what comes into it; mode and time are set when all of that is there.
class DirectorySink final : public Sink {
 public:
  DirectorySink(Target target, Metadata metadata, std::shared_ptr<TargetDir> self,
                std::shared_ptr<Others> others)
      : target_(std::move(target)),
        name_(target_.relative()),
        metadata_(std::move(metadata)),
        self_(std::move(self)),
        others_(std::move(others)) {}

  // A run that ends before: what is there must not be closed to others by the next one, either.
  ~DirectorySink() override {
    if (published_ || fd() < 0) return;
    if (made_) (void)fchmod(fd(), final_mode(/*special=*/0));
    if (closed_mode_) (void)fchmod(fd(), *closed_mode_);
  }

  const std::string& name() const override { return name_; }
  std::string output_name() const override { return self_->dir.path(); }
  std::string describe() const override { return quote(self_->dir.path()); }

  std::string look(const Negotiated& /*agreed*/) override {
    if (target_.parent->failure) throw Error(*target_.parent->failure);
    if (target_.name.empty() || target_.parent->is_absent()) return "";
    const auto existing = target_.dir().stat_child(target_.name);
    if (existing && S_ISDIR(existing->st_mode) && target_.parent->files.contains(*existing))
      throw Error(ExitStatus::Refused,
                  describe() + ": the same directory here as another entry of this run");
    if (!existing || S_ISDIR(existing->st_mode)) return "";
    throw Error(ExitStatus::FileIo,
                describe() + (S_ISLNK(existing->st_mode)
                                  ? ": is a symbolic link, which is not followed"
                                  : ": is not a directory, and a directory does not replace it"));
  }
  void open() override {
    if (target_.name.empty()) return;
    auto opened = target_.dir().make_private_child(target_.name, &made_);
    if (!opened)
      throw Error(ExitStatus::FileIo, describe() + ": was replaced by somebody meanwhile");
    struct stat st {};
    if (fstat(opened->fd(), &st) != 0) throw_file_errno(describe() + ": stat", errno);
    target_.parent->files.add(st);
    self_->dir = std::move(*opened);
    self_->failure.reset();
    // It may have been replaced before it was opened.
    self_->ours_alone = made_ && st.st_uid == geteuid() && (st.st_mode & 0077) == 0;
    if (!made_) open_to_owner(st);
    // Now: deep trees would keep all of them to the end.
    metadata_.set_xattrs(fd(), /*clear=*/!made_, describe(), caveats);
    metadata_.forget_xattrs();
  }
  void rehearse() override {
    if (target_.name.empty()) return;
    auto there =
        target_.parent->is_absent() ? std::nullopt : target_.dir().open_child(target_.name);
    if (there) {
      struct stat st {};
      if (fstat(there->fd(), &st) != 0) throw_file_errno(describe() + ": stat", errno);
      target_.parent->files.add(st);
      self_->dir = std::move(*there);
      if (is_closed_to_owner(st)) self_->will_be_writable();
    } else {
      if (const int error = target_.parent->why_not_writable(); error != 0)
        throw_file_errno(describe() + ": make directory", error);
      self_->ours_alone = true;  // nothing is in it
    }
    self_->failure.reset();
    rehearsed_ = true;
  }
  bool is_new() const override { return made_; }
  int fd() const override { return self_->dir.fd(); }
  void finish(uint64_t /*size*/) override {}
  void is_whole(std::shared_ptr<const NameSet> names) override {
    names_ = std::move(names);
    if (rehearsed_) look_for_others();
  }
  void publish(uint64_t /*size*/) override {
    published_ = true;
    look_for_others();
    // The destination itself is the receiving operator's: nobody else changes its mode or time.
    if (target_.name.empty()) return;
    const mode_t special = metadata_.set_directory(fd(), describe(), caveats);
    std::optional<mode_t> mode = closed_mode_;
    if (made_ || metadata_.full_mode()) mode = final_mode(special);
    set_metadata(fd(), mode ? &*mode : nullptr, metadata_.time(), describe(), caveats);
  }
  const HeldDir* directory() const override { return &target_.dir(); }
  const HeldDir* itself() const override { return &self_->dir; }

 private:
  // The destination itself has all its names in the end only. What is new has no others.
  void look_for_others() {
    if (others_ && names_ && !made_ && !self_->is_absent() && !target_.name.empty())
      others_->look(self_->dir, self_->prefix, self_->top, *names_);
    names_.reset();
  }
  // One's own that an earlier run, say, has closed to oneself: open until all that comes into it is
  // there.
  void open_to_owner(const struct stat& st) {
    const mode_t mode = st.st_mode & 07777;
    // By path, for one that may not be read is open with O_PATH; then it can be read too.
    const std::string path = "/proc/self/fd/" + std::to_string(fd());
    if (!is_closed_to_owner(st) || chmod(path.c_str(), mode | S_IRWXU) != 0) return;
    closed_mode_ = mode;
    auto again = target_.dir().open_child(target_.name);
    struct stat now {};
    if (again && fstat(again->fd(), &now) == 0 && now.st_dev == st.st_dev &&
        now.st_ino == st.st_ino)
      self_->dir = std::move(*again);
  }
  static bool is_closed_to_owner(const struct stat& st) {
    return geteuid() != 0 && st.st_uid == geteuid() && (st.st_mode & S_IRWXU) != S_IRWXU;
  }
  mode_t final_mode(mode_t special) const {
    struct stat now {};
    (void)fstat(fd(), &now);
    // What a directory has from the one above it stays: in a group's folder all is the group's.
    const mode_t inherited = now.st_mode & (S_ISGID | S_ISVTX);
    return metadata_.mode_of_new(target_.parent->most_bits_of_new()) |
           (metadata_.replaces_rights() ? special : inherited);
  }

  const Target target_;
  const std::string name_;
  Metadata metadata_;
  const std::shared_ptr<TargetDir> self_;
  const std::shared_ptr<Others> others_;
  std::shared_ptr<const NameSet> names_;
  bool made_ = false, published_ = false, rehearsed_ = false;
  std::optional<mode_t> closed_mode_;  // to be given back
};

}  // namespace

std::unique_ptr<Sink> make_directory_sink(Target target, Metadata metadata,
                                          std::shared_ptr<TargetDir> self,
                                          std::shared_ptr<Others> others) {
  return std::make_unique<DirectorySink>(std::move(target), std::move(metadata), std::move(self),
                                         std::move(others));
}

}  // namespace zx
