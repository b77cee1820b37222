// SPDX-License-Identifier: MIT
#include "zrecv/others.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/file/spool.h"

namespace zx {
namespace {

struct Head {
  Others::Record::Kind kind;
  uint32_t bytes;
  uint64_t device, inode, top;
};

// On the disk there, where that can be.
FILE* unnamed_file(const HeldDir& near, bool in_memory) {
  std::optional<Spool> spool;
  try {
    if (!in_memory) spool = Spool::on_disk("/proc/self/fd/" + std::to_string(near.fd()));
  } catch (const Error&) {  // not every file system can
  }
  if (!spool) spool = Spool::in_memory();
  const int fd = fcntl(spool->fd(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  FILE* const file = fd < 0 ? nullptr : fdopen(fd, "w+");
  if (file == nullptr) throw_file_errno("a file without a name", errno);
  return file;
}

}  // namespace

void Others::look(const HeldDir& dir, const std::string& prefix, size_t top, const NameSet& told) {
  if (!failure_.empty()) return;
  try {
    struct stat self {};
    if (fstat(dir.fd(), &self) != 0) throw_file_errno(quote(dir.path()) + ": stat", errno);
    if (!file_) file_.reset(unnamed_file(dir, dry_run_));
    const off_t begin = end_;
    bool any = false;
    size_t met = 0;
    const auto end = dir.find([&](const dirent& entry) {
      const std::string name = entry.d_name;
      if (name == "." || name == "..") return false;
      if (told.contains(prefix + name)) {
        ++met;
        return false;
      }
      struct stat st {};
      if (fstatat(dir.fd(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0)
        return false;
      if (!std::exchange(any, true))
        write({Record::Directory, prefix, self.st_dev, self.st_ino, top});
      write({Record::Name, name, st.st_dev, st.st_ino});
      return false;
    });
    if (end && (dry_run_ || met >= told.size())) return;
    // One of the names that are not known may be what has come, as the file system writes it.
    end_ = begin;
    write({Record::Trouble,
           quote(dir.path()) + ": nothing in it is deleted: " +
               (end ? "what was received is not all there under its name" : "it cannot be read")});
  } catch (const Error& error) {
    failure_ = error.what();
  }
}

bool Others::keeps(std::string_view path, bool directory) const {
  return std::ranges::any_of(kept_, [&](const Filter& f) { return f.excludes(path, directory); });
}

void Others::write(const Record& record) {
  const Head head{record.kind, static_cast<uint32_t>(record.text.size()), record.device,
                  record.inode, record.top};
  // An error stays with the file, and is found when it is read.
  if (at_ != end_) (void)fseeko(file_.get(), at_ = end_, SEEK_SET);
  (void)fwrite(&head, sizeof head, 1, file_.get());
  (void)fwrite(record.text.data(), 1, record.text.size(), file_.get());
  at_ = end_ += static_cast<off_t>(sizeof head + record.text.size());
}

void Others::rewind() {
  if (file_ && (ferror(file_.get()) != 0 || fflush(file_.get()) != 0))
    throw_file_errno("a file without a name: write", errno);
  if (file_) ::rewind(file_.get());
  at_ = 0;
}

std::optional<Others::Record> Others::read() {
  if (at_ >= end_) return std::nullopt;
  Head head{};
  Record record;
  if (fread(&head, sizeof head, 1, file_.get()) == 1) {
    record = {head.kind, std::string(head.bytes, '\0'), head.device, head.inode, head.top};
    if (fread(record.text.data(), 1, head.bytes, file_.get()) == head.bytes) {
      at_ += static_cast<off_t>(sizeof head + head.bytes);
      return record;
    }
  }
  throw_file_errno("a file without a name: read", errno);
}

}  // namespace zx
