// SPDX-License-Identifier: MIT
// JSON objects, one a line. Only what --json needs: building, no parsing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace zx {

class JsonObject {
 public:
  /// Text of ours, or bytes of a name: where they are not UTF-8, the offending bytes become U+FFFD
  /// and a second member "<key>_b64" carries the exact bytes.
  JsonObject& text(std::string_view key, std::string_view value);
  JsonObject& number(std::string_view key, uint64_t value);
  JsonObject& real(std::string_view key, double value);
  JsonObject& boolean(std::string_view key, bool value);
  JsonObject& object(std::string_view key, const JsonObject& value);
  JsonObject& list(std::string_view key, const std::vector<std::string>& values);
  std::string str() const { return "{" + members_ + "}"; }

 private:
  JsonObject& raw(std::string_view key, std::string_view value);
  std::string members_;
};

/// The begin of every line of --json: version and event.
JsonObject json_event(const char* name);

/// With quotation marks; only valid UTF-8 comes out, controls escaped.
std::string json_string(std::string_view bytes);
std::string base64(std::string_view bytes);

}  // namespace zx
