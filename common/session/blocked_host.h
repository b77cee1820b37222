// SPDX-License-Identifier: MIT
// What is remembered of a host whose firewall drops what comes to its ports: which way has worked,
// for a day, in the operator's cache folder, so that later runs do not wait for it again. Nothing
// else is decided by it. What cannot be read or written is as if nothing were remembered.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace zx {

class BlockedHost {
 public:
  /// `key`: all that says which host, and which ports.
  explicit BlockedHost(std::string_view key);

  struct Found {
    std::string via;           // "back" or "ssh"
    std::chrono::minutes ago;  // it was found out
  };
  std::optional<Found> recall() const;
  void remember(std::string_view via) const;
  void forget() const;

 private:
  std::string name_;  // of the file
};

}  // namespace zx
