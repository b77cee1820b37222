// SPDX-License-Identifier: MIT
// The options about what is to go; declared in common_options.h.
#include <charconv>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/ui/common_options.h"

namespace zx {

void add_delete_options(CLI::App& app, CommonOptions* o) {
  app.add_flag("--delete", o->deletes,
               "with -r: remove there, in what is sent, the names that the source does not have");
  app.add_option_function<std::string>(
         "--max-delete",
         [=](const std::string& value) {
           uint64_t most = 0;
           const char* const end = value.data() + value.size();
           const auto [at, error] = std::from_chars(value.data(), end, most);
           if (error != std::errc() || at != end)
             throw Error(ExitStatus::Usage, "--max-delete " + escape(value) + ": not a number");
           o->most_deleted = most;
         },
         "if more names than this would go, delete none of them")
      ->type_name("N");
}

void check_delete_options(const CommonOptions& o) {
  if (o.deletes && !o.recursive) throw Error(ExitStatus::Usage, "--delete goes only with -r or -a");
  if (o.most_deleted && !o.deletes)
    throw Error(ExitStatus::Usage, "--max-delete goes only with --delete");
}

}  // namespace zx
