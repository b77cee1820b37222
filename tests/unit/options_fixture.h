// SPDX-License-Identifier: MIT
// What the tests of command lines share.
#pragma once

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "common/base/error.h"
#include "zrecv/options.h"
#include "zsend/options.h"

namespace zx {

using Words = std::vector<std::string>;

template <typename Options>
bool parse(const Words& words, Options* out) {
  std::vector<const char*> argv{"program"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  if constexpr (std::is_same_v<Options, SendOptions>)
    return parse_send_options(static_cast<int>(argv.size()), argv.data(), out);
  else
    return parse_recv_options(static_cast<int>(argv.size()), argv.data(), out);
}

// Options before good operands.
inline Words with_operands(Words words, bool send) {
  const Words operands = send ? Words{"file", "zs://host"} : Words{"zs://host", "dir"};
  words.insert(words.end(), operands.begin(), operands.end());
  return words;
}

inline SendOptions send(const Words& words) {
  SendOptions out;
  REQUIRE(parse(words, &out));
  return out;
}
inline RecvOptions recv(const Words& words) {
  RecvOptions out;
  REQUIRE(parse(words, &out));
  return out;
}

// The common part of both programs with these options before good operands.
inline std::vector<CommonOptions> both(const Words& words) {
  return {send(with_operands(words, true)).common, recv(with_operands(words, false)).common};
}

// "accepted", "answered" (--help) or the name of the Error's status.
template <typename Options>
std::string outcome(const Words& words, Options* out) {
  try {
    return parse(words, out) ? "accepted" : "answered";
  } catch (const Error& e) {
    return std::string(status_name(e.status()));
  }
}
inline std::string send_outcome(const Words& words) {
  SendOptions out;
  return outcome(words, &out);
}
inline std::string recv_outcome(const Words& words) {
  RecvOptions out;
  return outcome(words, &out);
}

inline std::string joined(const Words& words) {
  std::string out;
  for (const std::string& word : words) out += "'" + word + "' ";
  return out;
}

}  // namespace zx
