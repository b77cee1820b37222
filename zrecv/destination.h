// SPDX-License-Identifier: MIT
// Destination: what the operator of the receiver has named. It gives each entry its sink.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "common/base/wake_fd.h"
#include "common/session/session.h"
#include "common/wire/message.h"
#include "zrecv/sink.h"

namespace zx {

class Deleter;
class NameSet;

class Destination {
 public:
  virtual ~Destination() = default;
  /// What this session wants of it; once, before the first sink_for(). `pull`: this side has asked
  /// for what agreed.path names. Throws what ends the session.
  virtual void aim(const Negotiated& agreed, bool pull) = 0;
  /// From aim() on: what everything that is written is, or is below; -1 when that is no file.
  virtual int place() const { return -1; }
  /// The sink of an entry; nothing was looked at or made yet. Throws what ends the session: an
  /// unsafe name, more entries than there is room for. `event` is set when the sink fails by
  /// itself; it must outlive the sink.
  virtual std::unique_ptr<Sink> sink_for(const EntryInfo& entry, WakeFd& event) = 0;
  /// Where one entry goes: its sink, had from here more than once. It holds the directory open.
  using Place = std::function<std::unique_ptr<Sink>(const EntryInfo& entry)>;
  /// The place of an entry that asks, and may come again later. Throws what sink_for() does.
  virtual Place place_for(const EntryInfo& entry);
  /// The sink of a directory, whose commit gives it its mode and time: to be looked at and opened
  /// at once. Entries go into it from here on, also when that fails: then each of them fails too.
  virtual std::unique_ptr<Sink> enter(const EntryInfo& entry);
  /// Back to the directory that this one is in.
  virtual void leave() {}
  /// With --delete, once all is committed: `names` are all that the destination itself has, or null
  /// where nobody knows that. What goes then. Null without --delete.
  virtual std::unique_ptr<Deleter> deleter(const NameSet* names);
  /// How content leaves it, for -v; empty when there is nothing to say.
  virtual std::string path() const { return ""; }
};

/// The name of an entry is one safe component; of a directory also none, in the destination itself.
/// Throws Error{Refused}.
void check_entry_name(const EntryInfo& entry);

/// An existing file or link is taken for the one of the entry: its kind, size and time are.
bool is_taken_for(const EntryInfo& entry, const struct stat& existing, bool even_seconds);

/// Throws Error{Refused} for what has no content of its own.
void check_has_content(const EntryInfo& entry);

/// Why --overwrite leaves an existing file as it is, or "" when the entry replaces it. Both sides'
/// rules count and the stricter wins; Unset allows. even_seconds: see keeps_even_seconds(). Throws
/// Error{Refused}; `shown`: the file, quoted.
std::string why_left_alone(const Negotiated& agreed, const struct stat& existing,
                           const EntryInfo& entry, const std::string& shown, bool even_seconds);

}  // namespace zx
