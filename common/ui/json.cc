// SPDX-License-Identifier: MIT
#include "common/ui/json.h"

#include <openssl/evp.h>

#include <array>
#include <cstdio>

#include "common/base/quote.h"

namespace zx {
namespace {

bool is_utf8(std::string_view bytes) {
  for (take_plain(bytes); !bytes.empty(); take_plain(bytes))
    if (take_character(bytes).code == kNotUtf8) return false;
  return true;
}

}  // namespace

std::string json_string(std::string_view bytes) {
  std::string out = "\"";
  for (out += take_plain(bytes); !bytes.empty(); out += take_plain(bytes)) {
    const Character c = take_character(bytes);
    if (c.code == kNotUtf8) {
      out += "\xef\xbf\xbd";  // U+FFFD
    } else if (c.code == '"' || c.code == '\\') {
      out += '\\';
      out += c.bytes;
    } else if (c.code < 0x20 || (c.code >= 0x7f && c.code < 0xa0)) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", static_cast<unsigned>(c.code));
      out += escaped.data();
    } else {
      out += c.bytes;
    }
  }
  return out + "\"";
}

std::string base64(std::string_view bytes) {
  std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  const int n = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                static_cast<int>(bytes.size()));
  out.resize(static_cast<size_t>(n));
  return out;
}

JsonObject json_event(const char* name) {
  return JsonObject().number("v", 1).text("event", name);
}

JsonObject& JsonObject::raw(std::string_view key, std::string_view value) {
  if (!members_.empty()) members_ += ',';
  members_ += json_string(key);
  members_ += ':';
  members_ += value;
  return *this;
}

JsonObject& JsonObject::text(std::string_view key, std::string_view value) {
  raw(key, json_string(value));
  if (!is_utf8(value)) raw(std::string(key) + "_b64", json_string(base64(value)));
  return *this;
}

JsonObject& JsonObject::number(std::string_view key, uint64_t value) {
  return raw(key, std::to_string(value));
}

JsonObject& JsonObject::real(std::string_view key, double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.6f", value);
  return raw(key, text.data());
}

JsonObject& JsonObject::boolean(std::string_view key, bool value) {
  return raw(key, value ? "true" : "false");
}

JsonObject& JsonObject::object(std::string_view key, const JsonObject& value) {
  return raw(key, value.str());
}

JsonObject& JsonObject::list(std::string_view key, const std::vector<std::string>& values) {
  std::string out = "[";
  for (const std::string& value : values) {
    if (out.size() > 1) out += ',';
    out += json_string(value);
  }
  return raw(key, out + "]");
}

}  // namespace zx
