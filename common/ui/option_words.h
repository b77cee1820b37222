// SPDX-License-Identifier: MIT
// Options that do not come from the command line, and advice about those that are none.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace zx {

/// Puts before the words of the command line those of $ZSEND_OPTIONS or $ZRECV_OPTIONS: options
/// that the operator always wants, each with its value in one word, but for those that the command
/// line has itself. What ssh starts has nobody's wishes. Throws Error{Usage} for operands, and for
/// what must be said each time: what is sent or written into, who waits, and that nothing protects
/// it.
void add_options_of_environment(const CLI::App& app, std::vector<std::string>* words);

/// What may have been meant by a word that is no option, as " (did you mean --timeout?)", or "".
std::string advice_for(const CLI::App& app, const std::string& word);

}  // namespace zx
