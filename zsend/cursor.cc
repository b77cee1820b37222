// SPDX-License-Identifier: MIT
#include "zsend/cursor.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "common/base/quote.h"
#include "common/file/name.h"

namespace zx {

namespace {

// "dir/." and "." are what is below a directory, without its name.
std::string name_of(const std::string& path) {
  const std::string name = base_name(path);
  return name == "." ? "" : name;
}

bool is_directory(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode);
}

}  // namespace

SourceCursor::SourceCursor(const SendOptions& options) : recursive_(options.common.recursive) {
  const PipeSource::Label label{options.name.value_or("stdin"), options.expected_bytes};
  if (options.exec)
    sources_.push_back({label.name, "", label.expected_bytes, false, false,
                        std::make_unique<PipeSource>(label, *options.exec)});
  for (const std::string& path : options.sources) {
    if (path == kStandardInput)
      add_standard_input(label);
    else
      add_file(path);
  }
  require_one();
}

SourceCursor::SourceCursor(const std::vector<std::string>& paths, bool recursive)
    : recursive_(recursive) {
  if (paths.empty()) throw Error(ExitStatus::Protocol, "the receiver named nothing to send");
  for (const std::string& path : paths) add_file(path);
  require_one();
}

void SourceCursor::add_file(const std::string& path) {
  Source source{name_of(path), path};
  source.directory = recursive_ && is_directory(path);
  try {
    if (source.directory) return sources_.push_back(std::move(source));
    source.bytes = SourceFile(path).size();
  } catch (const Error& error) {
    source.failure = error;
  }
  sources_.push_back(std::move(source));
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

std::vector<std::string> SourceCursor::names() const {
  std::vector<std::string> out;
  for (const Source& source : sources_) out.push_back(source.name);
  return out;
}

bool SourceCursor::several() const {
  return sources_.size() > 1 || std::ranges::any_of(sources_, &Source::directory);
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

std::optional<SourceEntry> SourceCursor::next() {
  if (walk_) {
    if (auto step = walk_->next()) return SourceEntry{std::move(*step)};
    walk_.reset();
  }
  if (next_ == sources_.size()) return std::nullopt;
  Source& source = sources_[next_++];
  SourceEntry out{{WalkStep::File, source.name, source.path}};
  out.pipe = source.pipe.get();
  out.failure = source.failure;
  if (out.pipe != nullptr) return out;
  try {
    if (source.directory) {
      walk_.emplace(source.path, source.name, begun_);
      return SourceEntry{*walk_->next()};
    }
    if (source.standard_input) out.file = standard_input_file(source.name);
    if (!out.failure && !out.file) out.file.emplace(source.path);
  } catch (const Error& error) {
    out.failure = error;
  }
  if (out.failure) out.kind = WalkStep::Failed;
  return out;
}

}  // namespace zx
