// SPDX-License-Identifier: MIT
// The preface: 24 bytes in clear, both ways, before anything else: a magic of 8 bytes and the
// fields of Preface. It settles version, mode and role, carries no secret, and is repeated inside
// the session so that a changed one is found.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/wire/limits.h"

namespace zx {

enum class Mode : uint8_t { TlsPsk = 1, TlsCert = 2, Plain = 3 };
enum class Role : uint8_t { Sender = 1, Receiver = 2 };

/// TLS 1.3 suites as bits of the preface.
enum PrefaceSuite : uint8_t {
  kSuiteAes128Gcm = 1,
  kSuiteChaCha20Poly1305 = 2,
  kSuiteAes256Gcm = 4,
};

enum class PrefaceCode : uint8_t {
  Accepted = 0,
  NoCommonVersion = 1,
  WrongMode = 2,  // the answer's mode byte says which mode the listener has
  SameRole = 3,   // both send, or both receive
  NoCommonSuite = 4,
  WrongAuth = 5,  // plain: one side authenticates, the other does not
  Busy = 6,       // the listener has another session, or none that could be joined
};

struct Preface {
  uint8_t lowest_version = kProtocolVersion;  // in an answer both are the one chosen
  uint8_t highest_version = kProtocolVersion;
  Mode mode = Mode::TlsPsk;
  Role role = Role::Sender;                  // of the writer
  bool no_auth = false;                      // plain only
  bool join = false;                         // a further connection of a session
  uint8_t suites = 0;                        // in an answer exactly the one chosen; 0 in plain
  PrefaceCode code = PrefaceCode::Accepted;  // 0 in a request
  std::array<std::byte, 8> random{};

  // What follows the magic.
  void fields(auto& c) {
    uint8_t reserved = 0;
    c.number("lowest version", lowest_version);
    c.number("highest version", highest_version);
    c.require(lowest_version > 0 && lowest_version <= highest_version, "version", "empty range");
    c.choice("mode", mode, Mode::TlsPsk, Mode::Plain);
    c.choice("role", role, Role::Sender, Role::Receiver);
    c.flags({&no_auth, &join});
    c.number("suites", suites);
    c.choice("code", code, PrefaceCode::Accepted, PrefaceCode::Busy);
    c.number("reserved", reserved);
    c.require(reserved == 0, "reserved", "not zero");
    c.bytes("random", random);
  }
};

using PrefaceBytes = std::array<std::byte, kPrefaceBytes>;

/// Both prefaces of a connection.
struct Prefaces {
  PrefaceBytes connector{}, listener{};
  bool operator==(const Prefaces&) const = default;

  void fields(auto& c) {
    c.bytes("connector's preface", connector);
    c.bytes("listener's preface", listener);
  }
};

PrefaceBytes encode_preface(Preface preface);
/// Throws Error{Protocol} for a wrong magic, an unknown mode, role or code, or a set reserved bit.
Preface decode_preface(std::span<const std::byte, kPrefaceBytes> bytes);

const char* role_name(Role role);

}  // namespace zx
