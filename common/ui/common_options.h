// SPDX-License-Identifier: MIT
// The options both programs share: one default, one binding, one check each. zsend/options and
// zrecv/options add what only they have.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "common/engine/engine_set.h"
#include "common/session/session.h"
#include "common/session/ssh_start.h"
#include "common/ui/console.h"
#include "common/wire/message.h"

namespace zx {

struct CommonOptions {
  ConsoleOptions console;
  Family family = Family::Any;                   // -4, -6
  std::optional<HostPort> listen;                // --listen
  std::optional<std::string> key_file;           // --key-file
  std::optional<std::string> new_key;            // --new-key: make this file and end
  bool plain = false;                            // --plain
  bool no_auth = false;                          // --no-auth
  std::optional<CertificateFiles> certificates;  // --tls-cert, --tls-key, --tls-ca
  Ktls ktls = Ktls::Auto;                        // --ktls
  std::optional<uint8_t> suite;                  // --tls-cipher (not in --help)
  uint64_t key_limit_bytes = kKeyLimitBytes;     // --rekey-after (not in --help)
  EngineOptions engine;                          // --engine, --buffer-size
  uint32_t block_bytes = kDefaultBlockBytes;
  uint64_t rate_limit = 0;           // --bwlimit, bytes/s; 0: none
  uint16_t streams = 0;              // --streams; 0 for auto
  std::chrono::seconds timeout{60};  // --timeout: how long a lost connection is made again
  std::optional<std::chrono::seconds> wait;
  Durability durability = Durability::Unset;  // nothing said: Batch, or what the peer says
  Overwrite overwrite = Overwrite::Unset;     // nothing said: Always, or what the peer says
  bool no_target_directory = false;           // -T
  bool preserve = false;                      // -p
  bool mkdir = false;                         // --mkdir
  bool dry_run = false;                       // -n
  bool recursive = false;                     // -r
  bool archive = false;                       // -a, which is -r and -p too
  bool dereference = false;                   // -L
  bool one_file_system = false;               // -x
  bool deletes = false;                       // --delete
  std::optional<uint64_t> most_deleted;       // --max-delete
  bool verify_disk = false;                   // --verify=disk
  std::vector<FilterRule> filter;             // --exclude, --include, --exclude-from, in order
  SshStart ssh;                               // -P -i -F -J -o -S, --remote-program, --via, ...
  bool ssh_asked = false;                     // one of them was given
  bool started_by_ssh = false;                // --remote: ssh has started this program
  std::optional<std::string> below;           // --below: with it, nothing but what is in there
  std::vector<std::string> operands;          // as written
};

/// Parses argv. `engines` are the --engine words of this program. Returns false when --help or
/// --version was answered on stdout. Throws Error{Usage}.
bool parse_common_options(CLI::App& app, int argc, const char* const* argv,
                          const std::vector<std::pair<std::string, Engine>>& engines,
                          CommonOptions* out);

/// The ssh options, into `options->ssh`. Of parse_common_options().
void add_ssh_options(CLI::App& app, CommonOptions* options);

/// --exclude, --include and --exclude-from, into `options->filter` in the order in which they are
/// given. Of parse_common_options().
void add_filter_options(CLI::App& app, CommonOptions* options);

/// --delete and --max-delete. Of parse_common_options().
void add_delete_options(CLI::App& app, CommonOptions* options);
/// Throws Error{Usage}.
void check_delete_options(const CommonOptions& options);

/// What the operands have decided: ssh options need an ssh operand, and with that no key or
/// certificate is wanted. Throws Error{Usage}.
void check_ssh_use(const CommonOptions& options, bool ssh_operand);

/// --new-key FILE: makes the key file. The message to show.
std::string make_key_file(const std::string& path);

/// This side's terms as far as the options say them.
Terms make_terms(const CommonOptions& options, const char* program);

/// The command for the other machine that goes with a listener on this port, which has the options
/// in force; "zs://..." stands between `before` and `after`. Where no host was given it says HOST,
/// and on a line of its own how this machine is called and its addresses.
std::string command_to_paste(const CommonOptions& options, uint16_t port,
                             const std::string& program, const std::string& before,
                             const std::string& after);

}  // namespace zx
