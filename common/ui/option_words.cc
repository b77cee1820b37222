// SPDX-License-Identifier: MIT
#include "common/ui/option_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <numeric>
#include <sstream>
#include <string_view>
#include <utility>

#include "common/base/error.h"
#include "common/base/quote.h"

namespace zx {
namespace {

constexpr std::array<std::string_view, 12> kEachTime{
    "--plain", "--no-auth", "--listen",  "--exec",   "--files-from", "--name",
    "--size",  "--mkdir",   "--inplace", "--remote", "--new-key",    "--help"};

// What other programs of this kind call it.
constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kForeign{{
    {"--bandwidth", "--bwlimit"},
    {"--limit-rate", "--bwlimit"},
    {"--rate-limit", "--bwlimit"},
    {"-l", "--bwlimit"},
    {"--ignore-existing", "--overwrite=skip"},
    {"--no-clobber", "--overwrite=skip"},
    {"--update", "--overwrite=older"},
    {"-u", "--overwrite=older"},
    {"--times", "-p"},
    {"--preserve", "-p"},
    {"--copy-links", "-L"},
    {"--null", "--from0"},
    {"--checksum", "--digest"},
    {"--port", "-P for ssh, zs://HOST:PORT else"},
    // Each program knows its own of these.
    {"--inplace", "zrecv --inplace"},
    {"--verify-first", "zrecv --verify-first"},
    {"--name", "zsend --name"},
    {"--size", "zsend --size"},
}};

// Letters to insert, leave out or put in place of others (Levenshtein).
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, diagonal + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

void add_options_of_environment(const CLI::App& app, std::vector<std::string>* words) {
  if (std::ranges::find(*words, "--remote") != words->end()) return;
  const auto option_of = [&](const std::string& word) -> const CLI::Option* {
    if (word[0] != '-') return nullptr;
    return app.get_option_no_throw(word.starts_with("--") ? word.substr(0, word.find('='))
                                                          : word.substr(0, 2));
  };
  std::string variable = app.get_name() + "_OPTIONS";
  std::ranges::transform(variable, variable.begin(),
                         [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  const char* value = getenv(variable.c_str());
  std::istringstream in(value != nullptr ? value : "");
  std::vector<std::string> always;
  for (std::string word; in >> word;) {
    const auto refuse = [&](const char* why) {
      throw Error(ExitStatus::Usage, "$" + variable + ": " + escape(word) + ": " + why);
    };
    if (word.size() < 2 || word[0] != '-' || word == "--" || word.ends_with('=') ||
        word == "--json" || word == "--digest")
      refuse("not an option with its value in one word, as --timeout=5m");
    if (std::ranges::find(kEachTime, word.substr(0, word.find('='))) != kEachTime.end())
      refuse("only on the command line");
    const CLI::Option* option = option_of(word);
    const bool is_single = option != nullptr && option->get_expected_max() == 1;
    if (!is_single || std::ranges::find(*words, option, option_of) == words->end())
      always.push_back(word);
  }
  words->insert(words->begin(), always.begin(), always.end());
}

std::string advice_for(const CLI::App& app, const std::string& word) {
  const std::string name = word.substr(0, word.find('='));
  const auto advice = [](std::string_view meant) {
    return " (did you mean " + std::string(meant) + "?)";
  };
  for (const auto& [foreign, ours] : kForeign)
    if (name == foreign) return advice(ours);
  for (const char* recursive : {"-R", "--recursive"})
    if (name == recursive) return " (-r sends a directory, -a with all that it is)";
  // What is left of -p2222: -p is an option of its own.
  if (name.find_first_not_of("0123456789", 1) == std::string::npos)
    return " (ssh's port is -P " + name.substr(1) + ")";
  std::string nearest;
  size_t least = std::min<size_t>(name.size() / 3, 3) + 1;  // a third of it may be wrong
  for (const CLI::Option* option : app.get_options())
    for (const std::string& known : option->get_lnames()) {
      const size_t letters = distance(name, "--" + known);
      if (letters >= least || option->get_group().empty()) continue;
      least = letters;
      nearest = "--" + known;
    }
  return nearest.empty() ? "" : advice(nearest);
}

}  // namespace zx
