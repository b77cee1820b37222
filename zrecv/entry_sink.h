// SPDX-License-Identifier: MIT
// EntrySink: where the content of one entry goes, and Destination, which gives each entry its sink.
// Three kinds: a file that gets its name at the commit (file_sink.h), a file or device that is
// written where it is (in_place_sink.h), and a stream that takes the content in its order
// (stream_sink.h). The content itself is written by engines, at offsets, into
// the descriptor of either; what is verified is the business of EntryWriter.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/error.h"
#include "common/base/wake_fd.h"
#include "common/file/held_dir.h"
#include "common/session/session.h"
#include "common/wire/message.h"

namespace zx {

struct CommitPolicy {
  Durability durability = Durability::Batch;
  bool keep_times = false;      // -p of either side
  bool keep_full_mode = false;  // -p of this side: permission bits without the umask
  Overwrite overwrite_here = Overwrite::Unset, overwrite_peer = Overwrite::Unset;
};

class EntrySink {
 public:
  /// Without publish() nothing of the content has counted: a temporary file is removed; a command
  /// is ended before it sees the end of its input; standard output is only cut short, which its
  /// reader cannot tell; a file in place stays half written.
  virtual ~EntrySink() = default;

  // The main thread, in this order.

  /// How the outcome names the entry; unquoted.
  virtual const std::string& name() const = 0;
  /// Where the content will be found; empty when nowhere.
  virtual std::string output_name() const = 0;
  /// False when --overwrite leaves alone what is there already: the entry is skipped. Throws Error
  /// for this entry.
  virtual bool open(const Negotiated& agreed) = 0;
  /// All blocks are verified, and it is `size` bytes in all. Throws Error for this entry.
  virtual void finish(uint64_t size) = 0;

  // From open() on, any thread.

  /// Engines write into it, and read back for the digests.
  virtual int fd() const = 0;
  /// For messages: quoted.
  virtual std::string describe() const = 0;
  /// Before anything is written into it, and again at any time.
  virtual void begin_writing() {}
  /// A hole of the source: makes this range read as zeros, where it does not. Blocking, looks for a
  /// stop. Throws Error for this entry.
  virtual void zero(uint64_t /*offset*/, uint64_t /*length*/) {}
  /// What a failure now leaves behind, to be added to its message: "" or " (...)".
  virtual std::string remark() const { return ""; }
  /// Whether every byte can be read back and written again until the commit. Otherwise what was
  /// verified() may be gone at once.
  virtual bool keeps_content() const { return true; }

  // Only of use to a sink that does not keep its content. Any thread.

  /// All before `end` is verified; it does not become less.
  virtual void verified(uint64_t /*end*/) {}
  /// Whether a block that ends at `end` may be written at once.
  virtual bool has_room(uint64_t /*end*/) const { return true; }
  /// Waits until it may, or for a failure. owed(): a block that came before must come again, maybe
  /// behind this one. Throws Error{Timeout} when it is not the reader that is waited for and
  /// nothing comes for so long. Looks for a stop.
  virtual void await_room(uint64_t /*end*/, const std::function<bool()>& /*owed*/,
                          std::chrono::seconds /*idle*/) {}
  /// What has gone wrong meanwhile, if anything has.
  virtual std::optional<Error> failure() const { return std::nullopt; }
  /// XXH3-128 flat over the `size` bytes, where the session has file digests. Blocking, looks for a
  /// stop.
  virtual Digest digest(uint64_t /*size*/) { return {}; }

  // The commit, in this order; commit.h. Blocking; each throws Error for this entry.

  virtual void prepare(const CommitPolicy& /*policy*/) {}
  virtual void sync() {}
  /// From here on it counts.
  virtual void publish(const CommitPolicy& policy, uint64_t size) = 0;
  /// To be synced after that, once for all entries.
  virtual const HeldDir* directory() const { return nullptr; }
};

class Destination {
 public:
  virtual ~Destination() = default;
  /// What this session wants of it; once, before the first sink_for(). `pull`: this side has asked
  /// for what agreed.path names. Throws what ends the session.
  virtual void aim(const Negotiated& agreed, bool pull) = 0;
  /// The sink of an entry, not open yet. Throws what ends the session: an unsafe name, more entries
  /// than there is room for.
  virtual std::unique_ptr<EntrySink> sink_for(const EntryInfo& entry) = 0;
  /// How content leaves it, for -v; empty when there is nothing to say.
  virtual std::string path() const { return ""; }
  /// Set when a sink has failed by itself; nothing when none can.
  virtual WakeFd* event() { return nullptr; }
};

}  // namespace zx
