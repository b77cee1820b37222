// SPDX-License-Identifier: MIT
// What Console says about --delete.
#include "common/base/quote.h"
#include "common/ui/console.h"
#include "common/ui/json.h"

namespace zx {

void Console::deleted(const std::string& path) {
  const std::lock_guard lock(mutex_);
  if (json_.wanted()) write_json(json_event("deleted").text("path", path));
  if (options_.verbose > 0 && !options_.quiet)
    print(program_ + (summary_.dry_run ? ": would delete " : ": deleted: ") + quote(path));
}

void Console::not_deleted(const std::string& text, const std::string& name, bool failed) {
  const std::lock_guard lock(mutex_);
  if (failed) {
    write_json(json_event("warning").text("text", text));
    if (errors_.is_new(text, name)) print(program_ + ": error: " + text);
  } else if (options_.verbose > 0 && !options_.quiet && skipped_.is_new(text, name)) {
    print(program_ + ": " + text);
  }
}

void Console::deletion(const Deletion& deletion, const std::string& whose) {
  if (deletion.reason.empty()) return;
  const std::lock_guard lock(mutex_);
  const std::string text = whose + deletion.reason;
  write_json(json_event("warning").text("text", text));
  if (deletion.failed || !options_.quiet)
    print(program_ + (deletion.failed ? ": error: " : ": warning: ") + text);
}

}  // namespace zx
