// SPDX-License-Identifier: MIT
#include "zsend/pipe_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/net/key.h"

namespace zx {
namespace {

UniqueFd duplicate(int fd, const std::string& what) {
  UniqueFd copy(fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!copy.valid()) throw_errno(ExitStatus::FileIo, what + ": duplicate", errno);
  return copy;
}

}  // namespace

PipeSource::PipeSource(Label label) : label_(std::move(label)) {
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  struct stat st {};
  if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY || fstat(STDIN_FILENO, &st) != 0)
    throw Error(ExitStatus::FileIo, describe() + ": not open for reading");
  if (S_ISDIR(st.st_mode)) throw Error(ExitStatus::FileIo, describe() + ": is a directory");
}

PipeSource::PipeSource(Label label, std::string command)
    : label_(std::move(label)), command_text_(std::move(command)) {}

void PipeSource::start() {
  spool_.emplace(Spool::in_memory());
  window_ = std::make_shared<const SourceFile>(duplicate(spool_->fd(), "a window in memory"),
                                               label_.name);
  if (!command_text_.empty())
    input_ = command_.emplace(command_text_, Command::Use::Producer, kKeyVariable).fd();
  else
    input_ = STDIN_FILENO;
  struct stat st {};
  spliced_ = fstat(input_, &st) == 0 && S_ISFIFO(st.st_mode);
  // A writer then fills a whole block while the one before is sent.
  if (spliced_) (void)widen_pipe(input_);
}

bool PipeSource::take(size_t bytes) {
  if (ended_ || full() || !wait_any({{input_}}, Clock::now())) return false;
  const uint64_t room = kMaxUnacknowledgedBytes - (end() - begin());
  const ssize_t n =
      spool_->append_from(input_, static_cast<size_t>(std::min<uint64_t>(bytes, room)));
  if (n == -EAGAIN) return false;  // somebody else has read it
  if (n < 0) error_ = static_cast<int>(-n);
  ended_ = n <= 0;
  return n > 0;
}

void PipeSource::stop() noexcept {
  ended_ = true;
  if (command_) command_->end();
}

std::optional<SourceFile> standard_input_file(const std::string& name) {
  struct stat st {};
  // A file of /proc says that it is empty; an empty one is as well sent as a pipe.
  if (fstat(STDIN_FILENO, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size == 0 ||
      lseek(STDIN_FILENO, 0, SEEK_CUR) != 0 ||
      (fcntl(STDIN_FILENO, F_GETFL) & O_ACCMODE) == O_WRONLY)
    return std::nullopt;
  return SourceFile(duplicate(STDIN_FILENO, "standard input"), name);
}

}  // namespace zx
