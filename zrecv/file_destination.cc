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
#include "common/file/take_over.h"
#include "common/file/temp_file.h"

namespace zx {
namespace {

// Up to here reserving space costs more than it tells: the write itself says at once whether there
// is room.
constexpr uint64_t kSmallBytes = 64 << 10;

// An entry that becomes a file: a temporary one beside its target until the commit.
class FileSink final : public Sink {
 public:
  FileSink(Target target, const EntryInfo& info, bool keep_full_mode, RunFiles& files)
      : target_(std::move(target)), info_(info), keep_full_mode_(keep_full_mode), files_(files) {}

  const std::string& name() const override { return target_.name; }
  std::string output_name() const override { return target_.dir->path_of(target_.name); }
  std::string describe() const override { return target_.dir->describe(target_.name); }

  std::string look(const Negotiated& agreed) override {
    agreed_ = &agreed;
    existing_ = target_.dir->stat_child(target_.name);
    if (!existing_) return "";
    // Upper and lower case, or two ways to write an accent, may be one name here.
    if (files_.contains(*existing_)) refuse_other_name();
    // --overwrite is about files: what is none stays, whatever that says.
    std::string why;
    if (S_ISREG(existing_->st_mode) || S_ISLNK(existing_->st_mode))
      why = why_left_alone(agreed, *existing_, info_, describe(),
                           keeps_even_seconds(target_.dir->fd()));
    if (why.empty()) check_can_be_replaced(*target_.dir, target_.name);
    return why;
  }
  void open() override {
    temp_.emplace(*target_.dir, target_.name);
    if (never_replaces() && !files_.can_appear) {
      temp_->check_can_appear();
      files_.can_appear = true;
    }
    if (info_.open_ended || info_.size <= kSmallBytes) return;
    // A size that no file can have here is found before anything of it comes.
    info_.sparse ? temp_->truncate(info_.size) : temp_->preallocate(info_.size);
  }
  int fd() const override { return temp_->fd(); }
  void finish(uint64_t size) override {
    temp_->truncate(size);
    const timespec mtime{info_.mtime_sec, info_.mtime_nsec};
    std::optional<mode_t> mode;
    if (existing_ && S_ISREG(existing_->st_mode))
      mode = take_over(fd(), *target_.dir, target_.name, *existing_, caveats);
    // Never setuid, setgid or sticky: the sender does not decide about those.
    const auto sent = static_cast<mode_t>(info_.mode & 0777);
    if (keep_full_mode_) mode = sent;
    temp_->set_metadata(mode ? *mode : mode_of_new(*target_.dir, sent),
                        agreed_->preserve ? &mtime : nullptr, caveats);
  }

  void sync() override { temp_->sync(caveats); }
  void close() override { temp_->close(); }
  void publish(uint64_t size) override {
    // What has appeared or changed since then counts as if it had been there.
    if (existing_) look_again();
    while (!temp_->commit(existing_          ? Replace::Yes
                          : never_replaces() ? Replace::No
                                             : Replace::Nothing,
                          size))
      look_again();
    files_.add(temp_->written());
  }
  const HeldDir* directory() const override { return target_.dir; }

 private:
  bool never_replaces() const {
    for (const Overwrite rule : {agreed_->overwrite, agreed_->overwrite_peer})
      if (rule == Overwrite::Never || rule == Overwrite::Skip) return true;
    return false;
  }
  [[noreturn]] void refuse_other_name() const {
    const std::string first =
        target_.dir->find([&](const dirent& d) { return d.d_ino == existing_->st_ino; })
            .value_or("");
    const bool known = !first.empty() && first != target_.name;
    throw Error(ExitStatus::Refused,
                describe() + (known ? ": " + quote(first) + " and " + quote(target_.name) +
                                          " are one file here"
                                    : ": the same file here as another entry of this run"));
  }
  void look_again() {
    if (const std::string why = look(*agreed_); !why.empty())
      throw Error(ExitStatus::Refused, describe() + ": has changed meanwhile: " + why);
  }

  const Target target_;
  const EntryInfo info_;
  const bool keep_full_mode_;
  RunFiles& files_;
  const Negotiated* agreed_ = nullptr;
  std::optional<struct stat> existing_;
  std::optional<TempFile> temp_;
};

// All is in a few file systems, so that two do not meet in practice.
uint64_t key_of(const struct stat& file) {
  return file.st_ino + file.st_dev * 0x9e3779b97f4a7c15;
}

// Whether a file can be made in one of its directories. One that cannot be seen may have some.
bool may_hold_new_below(const HeldDir& dir) {
  const auto name = dir.find([&](const dirent& d) {
    const std::string_view child_name = d.d_name;
    if (child_name == "." || child_name == ".." || (d.d_type != DT_DIR && d.d_type != DT_UNKNOWN)) return false;
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

}  // namespace

void RunFiles::add(const struct stat& file) {
  const std::lock_guard lock(mutex_);
  made_.insert(key_of(file));
}

bool RunFiles::contains(const struct stat& file) const {
  const std::lock_guard lock(mutex_);
  return made_.contains(key_of(file));
}

FileDestination::FileDestination(const std::string& path, bool no_target_directory,
                                 bool keep_full_mode, bool mkdir, bool listens)
    : keep_full_mode_(keep_full_mode) {
  refuse_planted_links(path, "destination");
  if (mkdir) make_directories(path);
  struct stat st {};
  const bool exists = stat(path.c_str(), &st) == 0;
  if (!exists && errno != ENOENT) throw_file_errno(quote(path), errno);
  const bool directory = exists && S_ISDIR(st.st_mode);
  if (directory && no_target_directory)
    throw Error(ExitStatus::FileIo, quote(path) + ": is a directory, and -T was given");
  if (directory) {
    dir_ = std::make_unique<HeldDir>(HeldDir::open_operator_path(path));
    try {
      check_can_hold_new(*dir_);
    } catch (const Error& error) {
      // A sender may name a directory below it that can.
      if (!listens || !may_hold_new_below(*dir_)) throw;
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
  dir_ = std::make_unique<HeldDir>(HeldDir::open_operator_path(parent_of(real)));
  check_can_hold_new(*dir_);
}

FileDestination::FileDestination(HeldDir root, const std::string& path, const Negotiated& agreed)
    : keep_full_mode_(agreed.preserve), dir_(std::make_unique<HeldDir>(std::move(root))) {
  const std::vector<std::string> names = components_below(path);
  if (names.empty())
    check_can_hold_new(*dir_);
  else
    go_below(names, path.ends_with('/'), agreed);
}

void FileDestination::aim(const Negotiated& agreed, bool pull) {
  const auto& path = agreed.path;
  if (pull || path.empty()) {
    if (agreed.no_target_directory && fixed_name_.empty())
      throw Error(ExitStatus::FileIo,
                  quote(dir_->path()) + ": is a directory, and the peer asked for -T");
    if (not_here_) throw Error(*not_here_);
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
  *dir_ = dir_->walk({path.data(), path.size() - 1}, agreed.mkdir);
  const std::string& last = path.back();
  auto child = agreed.mkdir ? dir_->make_child(last) : dir_->open_child(last);
  if (child && agreed.no_target_directory)
    throw Error(ExitStatus::FileIo, dir_->describe(last) + ": is a directory, and -T was given");
  if (child)
    *dir_ = std::move(*child);
  else if (is_directory || agreed.mkdir)
    throw Error(ExitStatus::FileIo, dir_->describe(last) + ": no such directory below the root");
  else
    fixed_name_ = last;
  check_can_hold_new(*dir_);
}

Target FileDestination::target_for(const EntryInfo& entry) {
  check_entry_name(entry);
  if (!fixed_name_.empty() && std::exchange(fixed_name_taken_, true))
    throw Error(ExitStatus::Refused,
                dir_->describe(fixed_name_) +
                    ": several sources need a directory as destination (--mkdir makes one)");
  return {dir_.get(), fixed_name_.empty() ? entry.name[0] : fixed_name_};
}

std::unique_ptr<Sink> FileDestination::sink_for(const EntryInfo& entry, WakeFd& /*event*/) {
  return std::make_unique<FileSink>(target_for(entry), entry, keep_full_mode_, files_);
}

}  // namespace zx
