// SPDX-License-Identifier: MIT
#include "zsend/cursor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {

namespace {

// "dir/.", "." and ".." are what is below a directory, without its name.
std::string name_of(const std::string& path) {
  const std::string name = base_name(path);
  return name == "." || name == ".." ? "" : name;
}

}  // namespace

SourceCursor::SourceCursor(const SendOptions& options)
    : rules_{options.common.recursive, options.common.dereference, options.common.one_file_system},
      patience_(options.common.timeout) {
  if (!options.common.filter.empty()) rules_.filters.emplace_back(options.common.filter);
  if (options.files_from) {
    add_list(options);
    return;
  }
  const PipeSource::Label label{options.name.value_or("stdin"), options.expected_bytes};
  if (options.exec)
    sources_.push_back({label.name, "", label.expected_bytes, false, false,
                        std::make_unique<PipeSource>(label, *options.exec)});
  for (const std::string& path : options.sources) {
    if (path == kStandardInput)
      add_standard_input(label);
    else if (!rules_.exclude_source(name_of(path), is_directory(path)))
      add_file(path);
  }
  if (sources_.empty()) throw Error(ExitStatus::Usage, "--exclude leaves nothing to send");
  require_one();
}

SourceCursor::SourceCursor(const std::vector<std::string>& paths, WalkRules rules,
                           std::chrono::seconds patience, std::optional<HeldDir> below)
    : rules_(std::move(rules)), below_(std::move(below)), patience_(patience) {
  if (paths.empty()) throw Error(ExitStatus::Protocol, "the receiver named nothing to send");
  for (const std::string& path : paths) {
    add_file(path);
    if (auto& failure = sources_.back().failure)
      failure = Error(failure->status(), failure->what() + literal_remark(path));
  }
  require_one();
}

SourceFile SourceCursor::open(const std::string& path) const {
  if (!below_) return SourceFile(path);
  const std::vector<std::string> names = components_below(path);
  if (names.empty()) throw Error(ExitStatus::FileIo, quote(path) + ": is a directory, not a file");
  return {below_->walk({names.data(), names.size() - 1}, /*make=*/false), names.back()};
}

// Read from its beginning, however often it is opened.
UniqueFd SourceCursor::open_directory(const std::string& path) const {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  UniqueFd fd(below_ ? openat(below_->walk(components_below(path), false).fd(), ".", kFlags)
                     : ::open(path.c_str(), kFlags));
  if (!fd.valid()) throw_errno(ExitStatus::FileIo, quote(path) + ": open directory", errno);
  return fd;
}

bool SourceCursor::is_directory(const std::string& path) const {
  if (!below_) {
    struct stat st {};
    return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
  }
  try {
    return open_directory(path).valid();
  } catch (const Error&) {  // why it cannot be sent at all is found out as for a file
    return false;
  }
}

void SourceCursor::add_file(const std::string& path) {
  Source source{base_name(path), path};
  try {
    source.directory = rules_.recursive && is_directory(path);
    if (source.directory) {
      source.name = name_of(path);
      (void)open_directory(path);
    } else {
      source.bytes = open(path).size();
    }
    if (!source.directory || !source.name.empty()) check_component(source.name);
  } catch (const LeasedFile&) {
    struct stat st {};
    if (!below_ && stat(path.c_str(), &st) == 0) source.bytes = static_cast<uint64_t>(st.st_size);
  } catch (const Error& error) {
    source.failure = error;
  }
  // That it cannot be sent is told under a name, too.
  if (source.failure && !is_component(source.name)) source.name = "unnamed";
  sources_.push_back(std::move(source));
}

// What the names are below, without a name of its own; the list is read first.
void SourceCursor::add_list(const SendOptions& options) {
  const std::string& path = options.sources[0];
  list_.emplace(*options.files_from, options.from0 ? '\0' : '\n');
  (void)open_directory(path);
  sources_.push_back({"", path});
  sources_.back().directory = true;
}

void SourceCursor::add_standard_input(const PipeSource::Label& label) {
  if (isatty(STDIN_FILENO) == 1)
    throw Error(
        ExitStatus::Usage,
        "standard input is a terminal: let a pipe or a file be it (a file named '-' is ./-)");
  if (const auto file = standard_input_file(label.name))
    sources_.push_back({label.name, label.name, file->size(), true});
  else
    sources_.push_back(
        {label.name, "", label.expected_bytes, false, false, std::make_unique<PipeSource>(label)});
}

void SourceCursor::require_one() const {
  if (std::ranges::any_of(sources_, [](const Source& s) { return !s.failure; })) return;
  std::string others;
  for (size_t i = 1; i < sources_.size() && i < 10; ++i)
    others += std::string("; ") + sources_[i].failure->what();
  throw Error(sources_[0].failure->status(), sources_[0].failure->what() + others);
}

void SourceCursor::keep_only(const std::vector<std::string>& name) {
  std::erase_if(sources_, [&](const Source& s) { return name.size() != 1 || s.name != name[0]; });
  if (sources_.empty())
    throw Error(ExitStatus::Refused, quote(join_path(name)) + ": not offered by this sender");
}

void SourceCursor::narrow(Filter filter, bool one_file_system, bool sources) {
  rules_.one_file_system = rules_.one_file_system || one_file_system;
  if (filter.empty()) return;
  std::erase_if(sources_, [&](const Source& s) {
    return sources && !s.pipe && !s.standard_input && filter.excludes_source(s.name, s.directory);
  });
  if (sources_.empty())
    throw Error(ExitStatus::Refused, "the receiver's --exclude leaves nothing to send");
  rules_.filters.push_back(std::move(filter));
}

std::vector<std::string> SourceCursor::names() const {
  std::vector<std::string> out;
  for (const Source& source : sources_) out.push_back(source.name);
  return out;
}

bool SourceCursor::has_directories() const {
  return std::ranges::any_of(sources_, &Source::directory);
}

std::optional<uint64_t> SourceCursor::total_bytes() const {
  uint64_t total = 0;
  for (const Source& source : sources_) {
    if (source.directory || (source.pipe && source.bytes == 0)) return std::nullopt;
    total += source.bytes;
  }
  return total;
}

uint64_t SourceCursor::file_bytes() const {
  uint64_t total = 0;
  for (const Source& source : sources_)
    if (!source.pipe) total += source.bytes;
  return total;
}

// For who has a lease on the next one: as long as for anything.
bool SourceCursor::is_worth_waiting(std::optional<Clock::time_point>& limit) const {
  if (!limit) limit = Clock::now() + patience_;
  return Clock::now() < *limit;
}

SourceEntry SourceCursor::open(HeldBack& held, const std::string& path) {
  SourceEntry out{{WalkStep::File, held.name, path}};
  if (held.in) {
    out = SourceEntry{open_file(dirfd(held.in.get()), held.name, path, rules_.follow_links)};
    out.leased = out.leased && is_worth_waiting(held.lease_limit);
    return out;
  }
  try {
    out.file.emplace(open(path));
    return out;
  } catch (const LeasedFile& leased) {
    out.leased = is_worth_waiting(held.lease_limit);
    out.failure = leased;
  } catch (const Error& error) {
    out.failure = error;
  }
  out.kind = WalkStep::Failed;
  return out;
}

std::optional<SourceEntry> SourceCursor::next(HoldBack hold_back) {
  if (walk_) {
    if (auto step = walk_->next(hold_back)) {
      step->leased = step->leased && is_worth_waiting(lease_limit_);
      if (step->leased)
        walk_->again(step->name);
      else
        lease_limit_.reset();
      return SourceEntry{std::move(*step)};
    }
    walk_.reset();
  }
  if (next_ == sources_.size()) return std::nullopt;
  Source& source = sources_[next_];
  SourceEntry out{{WalkStep::File, source.name, source.path}};
  out.pipe = source.pipe.get();
  out.failure = source.failure;
  try {
    if (source.directory && !out.failure) {
      if (!begun_) begun_ = TreeWalk::now();
      walk_.emplace(open_directory(source.path), source.path, source.name, *begun_, rules_,
                    list_ ? &*list_ : nullptr);
      ++next_;
      return SourceEntry{*walk_->next()};
    }
    if (source.standard_input) out.file = standard_input_file(source.name);
    if (out.pipe == nullptr && !out.failure && !out.file) out.file.emplace(open(source.path));
  } catch (const LeasedFile& leased) {
    out.leased = is_worth_waiting(lease_limit_);
    if (out.leased) return out;
    out.failure = leased;
  } catch (const Error& error) {
    out.failure = error;
  }
  if (out.failure) out.kind = WalkStep::Failed;
  if (source.directory) out.st.st_mode = S_IFDIR;
  const bool one_name = out.file && out.file->stat_at_open().st_nlink == 1;
  if (out.file && !source.standard_input && hold_back != HoldBack::None &&
      (hold_back != HoldBack::OneName || one_name)) {
    out.st = out.file->stat_at_open();
    out.file.reset();
  }
  lease_limit_.reset();
  ++next_;
  return out;
}

}  // namespace zx
