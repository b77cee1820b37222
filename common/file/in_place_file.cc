// SPDX-License-Identifier: MIT
#include "common/file/in_place_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/base/page_buffer.h"
#include "common/base/stop.h"
#include "common/file/operator_file.h"
#include "common/file/space.h"

namespace zx {

InPlaceFile::InPlaceFile(const std::string& path) : path_(path) {
  const auto refuse = [&](const std::string& why) {
    throw Error(ExitStatus::FileIo, describe() + ": " + why);
  };
  struct stat before {};
  if (stat(path.c_str(), &before) != 0) throw_file_errno(describe(), errno);
  if (S_ISDIR(before.st_mode)) refuse("is a directory, and --inplace was given");
  // Of these open(2) would wait for somebody, or rewind a tape.
  if (!S_ISREG(before.st_mode) && !S_ISBLK(before.st_mode))
    refuse("neither a regular file nor a block device");
  // Without O_CREAT the flag means something for block devices only: nobody else has it
  // exclusively, and nobody gets it so, a mount included (open(2)).
  const int exclusive = S_ISBLK(before.st_mode) ? O_EXCL : 0;
  fd_ = open_operator_file(path, O_RDWR | exclusive, 0, "destination");
  if (fstat(fd_.get(), &stat_) != 0) throw_file_errno(describe() + ": stat", errno);
  if (stat_.st_mode != before.st_mode || stat_.st_ino != before.st_ino ||
      stat_.st_dev != before.st_dev)
    refuse("became something else while it was opened");
  // Two at a time would make a mix, and each would find its own blocks right.
  if (flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    refuse("another program has locked it (zrecv --inplace?)");
  if (!is_device()) return;
  const auto bytes = block_device_bytes(fd_.get());
  if (!bytes) throw_file_errno(describe() + ": size of the block device", errno);
  stat_.st_size = to_off(*bytes);
}

void InPlaceFile::reserve(uint64_t size) {
  if (size <= static_cast<uint64_t>(stat_.st_size)) return;  // what is there needs no room
  if (is_device())
    throw Error(ExitStatus::NoSpace, describe() + ": the block device has " +
                                         std::to_string(stat_.st_size) + " bytes, not " +
                                         std::to_string(size));
  reserve_space(fd_.get(), size, describe(), KeepLength::Yes);
}

void InPlaceFile::zero(uint64_t offset, uint64_t length) {
  // On a device too this either makes zeros or does nothing (fallocate(2)); it gives back what is
  // not needed, where that is possible. Of a device only whole sectors.
  if (retry_eintr([&] {
        return fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, to_off(offset),
                         to_off(length));
      }) == 0)
    return;
  PageBuffer zeros(1 << 20);
  std::ranges::fill(zeros.span(), std::byte{});
  while (length > 0) {
    check_stop();
    const auto piece = zeros.first(static_cast<size_t>(std::min<uint64_t>(zeros.size(), length)));
    if (const int error = -pwrite_full(fd_.get(), piece, offset); error != 0)
      throw_file_errno(describe() + ": write", error);
    offset += piece.size();
    length -= piece.size();
  }
}

void InPlaceFile::finish(uint64_t size) {
  struct stat now {};
  if (is_device()) return;
  if (fstat(fd_.get(), &now) == 0 && static_cast<uint64_t>(now.st_size) == size) return;
  begin_writing();
  set_length(fd_.get(), size, describe());
}

void InPlaceFile::set_metadata(const mode_t* mode, const timespec* mtime) {
  if (!is_device()) zx::set_metadata(fd_.get(), mode, mtime, describe());
}

void InPlaceFile::sync() {
  if (fsync(fd_.get()) != 0) throw_file_errno(describe() + ": sync to disk", errno);
}

void InPlaceFile::commit(uint64_t size) {
  struct stat now {};
  if (fstat(fd_.get(), &now) != 0) throw_file_errno(describe() + ": stat", errno);
  if (!is_device() && static_cast<uint64_t>(now.st_size) != size)
    throw Error(ExitStatus::FileIo, describe() + ": was changed by somebody else");
  touched_ = false;
}

std::string InPlaceFile::remark() const {
  return touched_ ? " (written in place: its content is now partly old and partly new)" : "";
}

}  // namespace zx
