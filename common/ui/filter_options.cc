// SPDX-License-Identifier: MIT
// The options about what of a tree is sent; declared in common_options.h.
#include "common/file/filter.h"
#include "common/ui/common_options.h"

namespace zx {

void add_filter_options(CLI::App& app, CommonOptions* o) {
  std::vector<FilterRule>* const rules = &o->filter;
  const auto add = [&](const std::string& name, bool include, const std::string& help) {
    app.add_option_function<std::string>(
           name,
           [=](const std::string& pattern) {
             rules->push_back({include, pattern});
             (void)Filter({rules->back()});
           },
           help)
        ->type_name("PATTERN")
        ->trigger_on_parse();
  };
  add("--exclude", false, "leave out names like this (as in .gitignore)");
  add("--include", true, "but not these; the first that matches decides");
  app.add_option_function<std::string>(
         "--exclude-from",
         [=](const std::string& path) {
           const auto more = read_patterns(path, /*include=*/false);
           rules->insert(rules->end(), more.begin(), more.end());
         },
         "leave out names like those in this file")
      ->type_name("FILE")
      ->trigger_on_parse();
}

}  // namespace zx
