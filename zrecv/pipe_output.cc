// SPDX-License-Identifier: MIT
#include "zrecv/pipe_output.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/net/key.h"

namespace zx {
namespace {

constexpr size_t kCopyBytes = 256 << 10;
// A command that has closed its input has this long to say by its status why.
constexpr std::chrono::milliseconds kLastWords{2000};

// Between two looks at a pipe that is not empty: that it has become so is no event. Longer and
// longer.
constexpr std::chrono::milliseconds kFirstLook{1}, kLastLook{50};

// Whether there are bytes in the pipe that nobody has read. Both ends of it know.
bool is_unread(int pipe) {
  int bytes = 0;
  return ioctl(pipe, FIONREAD, &bytes) == 0 && bytes > 0;
}

}  // namespace

PipeOutput::PipeOutput(std::optional<std::string> command) : command_text_(std::move(command)) {
  if (command_text_) return;
  const int flags = fcntl(STDOUT_FILENO, F_GETFL);
  if (flags < 0 || (flags & O_ACCMODE) == O_RDONLY)
    throw Error(ExitStatus::Usage, "'-': standard output is closed");
  // Content may be anything, and a terminal would act on it.
  if (isatty(STDOUT_FILENO) == 1)
    throw Error(ExitStatus::Usage,
                "'-': standard output is a terminal; redirect it, or add a pipe to 'cat'");
  find_kind();
}

std::string PipeOutput::path() const {
  if (kind_ == Kind::Pipe) return describe() + " is a pipe: it gets the pages themselves (splice)";
  if (kind_ == Kind::File) return describe() + " is a file: sendfile";
  return describe() + " is neither a pipe nor a file: through a buffer (readwrite)";
}

void PipeOutput::start() {
  if (!command_text_) return;
  command_ = std::make_unique<Command>(*command_text_, Command::Use::Consumer, kKeyVariable);
  find_kind();
}

void PipeOutput::find_kind() {
  struct stat st {};
  if (fstat(fd(), &st) != 0) throw_file_errno(describe(), errno);
  kind_ = S_ISFIFO(st.st_mode) ? Kind::Pipe : S_ISREG(st.st_mode) ? Kind::File : Kind::Other;
  socket_ = S_ISSOCK(st.st_mode);
  if (kind_ == Kind::Pipe) (void)widen_pipe(fd());  // fewer and larger calls
}

ssize_t PipeOutput::hand_over(int file, uint64_t offset, size_t bytes) {
  off_t at = to_off(offset);
  ssize_t n = 0;
  if (kind_ == Kind::Other) return copy(file, offset, bytes);
  if (kind_ == Kind::Pipe)
    n = retry_eintr(
        [&] { return splice(file, &at, fd(), nullptr, bytes, SPLICE_F_MOVE | SPLICE_F_NONBLOCK); });
  else
    n = retry_eintr([&] { return sendfile(fd(), file, &at, bytes); });
  if (n > 0) return n;
  if (n == 0) return -EIO;  // the file is shorter than what was verified of it
  if (errno == EAGAIN) return 0;
  // Opened for appending, or a file system of its own ways.
  if (!is_unsupported(errno)) return -errno;
  kind_ = Kind::Other;
  return copy(file, offset, bytes);
}

ssize_t PipeOutput::copy(int file, uint64_t offset, size_t bytes) {
  buffer_.resize(kCopyBytes);
  const auto piece = std::span(buffer_).first(std::min(bytes, buffer_.size()));
  const ssize_t got = pread_full(file, piece, offset);
  if (got <= 0) return got == 0 ? -EIO : got;
  const auto length = static_cast<size_t>(got);
  const ssize_t n = retry_eintr([&] {
    return socket_ ? send(fd(), piece.data(), length, MSG_DONTWAIT | MSG_NOSIGNAL)
                   : write(fd(), piece.data(), length);
  });
  if (n >= 0) return n;
  return errno == EAGAIN ? 0 : -errno;
}

Error PipeOutput::failed(int error) {
  if (!command_) {
    if (error == EPIPE) return {ExitStatus::FileIo, describe() + ": the reader has closed it"};
    return {file_status_of_errno(error), describe() + ": write: " + errno_text(error)};
  }
  std::string words = "closed its input before it had taken everything";
  if (error != EPIPE) {
    words = "could not be given its input: " + errno_text(error);
  } else if (wait_any({{command_->process_fd()}}, Clock::now() + kLastWords)) {
    words = command_->wait();
    if (words.empty()) words = "ended before it had taken everything";
  }
  command_->end();
  return {ExitStatus::CommandFailed, describe() + " " + words};
}

void PipeOutput::check_command() {
  const std::string words = command_ ? command_->failure() : "";
  if (!words.empty()) throw Error(ExitStatus::CommandFailed, describe() + " " + words);
}

void PipeOutput::finish() {
  if (!command_) {
    // A file system in the network may tell only when a descriptor is closed that there is no room.
    const int other = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (other >= 0 && close(other) != 0 && errno != EINTR)
      throw_file_errno(describe() + ": close", errno);
    return;
  }
  // What is left in the pipe when the command has ended is what it has not taken. The pipe is gone
  // when its last end is closed, and an end to read from would hide that the command has closed
  // its.
  auto pause = kFirstLook;
  while (is_unread(command_->fd()) && !wait_any({{command_->process_fd()}}, Clock::now() + pause))
    pause = std::min(pause * 2, kLastLook);
  const bool all_taken = !is_unread(command_->fd());
  std::string words = command_->wait();
  if (words.empty() && !all_taken) words = "ended before it had taken everything";
  if (!words.empty()) throw Error(ExitStatus::CommandFailed, describe() + " " + words);
}

}  // namespace zx
