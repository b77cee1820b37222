// SPDX-License-Identifier: MIT
// Sink: where the content of one entry goes. Three kinds: a file that gets its name at the commit
// (file_sink.cc), a file or device that is written where it is (in_place_destination.h), and
// a pipe that takes the content in its order (pipe_sink.h). What has no content, a directory or a
// symbolic link, has a sink for its commit. The content itself is written by
// engines, at offsets, into the descriptor; what of it is verified is the business of
// IncomingEntry.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/caveat.h"
#include "common/base/error.h"
#include "common/base/unique_fd.h"
#include "common/file/held_dir.h"
#include "common/session/session.h"
#include "common/wire/message.h"

namespace zx {

class NameSet;
class PipeSink;

class Sink {
 public:
  /// Without publish() nothing of the content has counted: a temporary file is removed; a command
  /// is ended before it sees the end of its input; standard output is only cut short, which its
  /// reader cannot tell; a file in place stays half written.
  virtual ~Sink() = default;

  /// How the outcome names the entry; unquoted.
  virtual const std::string& name() const = 0;
  /// Where the content will be found; empty when nowhere.
  virtual std::string output_name() const = 0;
  /// For messages: quoted.
  virtual std::string describe() const = 0;
  /// What a failure now leaves behind, to be added to its message: "" or " (...)".
  virtual std::string remark() const { return ""; }

  /// What of it is not as it should be; filled in by finish() and the commit.
  Caveats caveats;

  // In this order. Each throws Error for this entry, and may block.

  /// Looks at what is there already, and changes nothing. Why --overwrite leaves that alone: then
  /// the entry is skipped. Else "".
  virtual std::string look(const Negotiated& agreed) = 0;
  /// Instead of what follows, when it was left alone: what is there gets the metadata that came, if
  /// it is the same file but for that.
  virtual void refresh() {}
  /// Makes the file that will be written, the link under a temporary name, or the directory. Once,
  /// before the first content comes.
  virtual void open() = 0;
  /// Instead of open(), in a dry run: throws what that would, as far as it can be known, and
  /// changes nothing. Of a directory: what is in it can be looked at from here on.
  virtual void rehearse() {}
  /// All blocks are verified, and it is `size` bytes in all: sets length and metadata. May be
  /// called again.
  virtual void finish(uint64_t size) = 0;

  /// After open(), of a directory: nothing has that name before.
  virtual bool is_new() const { return false; }

  // Between open() and finish(), any thread.

  /// Engines write into it, and read back for the digests. Owned by the sink.
  virtual int fd() const = 0;
  /// Before anything is written into it, and again at any time.
  virtual void begin_writing() {}
  /// A hole of the source: makes this range read as zeros, where it does not. Looks for a stop
  /// signal. Throws Error for this entry.
  virtual void zero(uint64_t /*offset*/, uint64_t /*length*/) {}
  /// Itself, when it hands its content on while it comes. Nothing for a sink that keeps every byte
  /// until the commit.
  virtual PipeSink* pipe() { return nullptr; }

  /// Of a directory: it has these names and no others, but what is kept. What else is found when it
  /// is committed is remembered for --delete.
  virtual void is_whole(std::shared_ptr<const NameSet> /*names*/) {}

  // The commit, in this order; see batch.h. Each blocks, and throws Error for this entry.

  virtual void sync() {}
  /// What was written, to be read again, also when it is closed. Nothing for what has no content,
  /// or may not be read.
  virtual UniqueFd reopen() { return {}; }
  /// Closes what was written: some file systems only now say that it failed. Nothing where the
  /// descriptor has to stay.
  virtual void close() {}
  /// From here on it counts.
  virtual void publish(uint64_t size) = 0;
  /// Where it gets its name: to be synced after that, once for all entries; a sync of its whole
  /// file system stands for sync(). Nothing for a sink that makes no name.
  virtual const HeldDir* directory() const { return nullptr; }
  /// Itself, when it is a directory: to be synced too, after that.
  virtual const HeldDir* itself() const { return nullptr; }
};

}  // namespace zx
