// SPDX-License-Identifier: MIT
#pragma once

#include <utility>

namespace zx {

/// Calls f when its scope ends, by return or by exception; f must not throw.
template <typename F>
class [[nodiscard]] Defer {
 public:
  explicit Defer(F f) : f_(std::move(f)) {}
  ~Defer() { f_(); }
  Defer(const Defer&) = delete;
  Defer& operator=(const Defer&) = delete;

 private:
  F f_;
};

}  // namespace zx
