// SPDX-License-Identifier: MIT
#include "common/ui/common_options.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <openssl/crypto.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <iostream>

#include "common/base/defer.h"
#include "common/base/error.h"
#include "common/base/page_buffer.h"
#include "common/base/quote.h"
#include "common/net/ktls.h"
#include "common/ui/option_words.h"
#include "common/ui/units.h"

namespace zx {
namespace {

constexpr size_t kMinBufferBytes = 4 << 10, kMaxBufferBytes = 16 << 20;

// CLI11 would take the word after an option with an optional value as that value: `--json FILE`
// must not eat the source. So the form without "=" gets its default here.
std::vector<std::string> with_explicit_values(int argc, const char* const* argv,
                                              std::vector<std::string>* after_dashes) {
  std::vector<std::string> out;
  bool options = true;
  for (int i = 1; i < argc; ++i) {
    std::string word = argv[i];
    if (word.empty()) throw Error(ExitStatus::Usage, "argument " + std::to_string(i) + " is empty");
    if (!options) {
      after_dashes->push_back(word);
      continue;
    }
    if (word == "--") {
      options = false;
      continue;
    }
    if (word.starts_with("--") && word.find('=') == word.size() - 1)
      throw Error(ExitStatus::Usage, escape(word) + ": the value is empty");
    if (word == "--json" || word == "--digest") word += "=-";
    out.push_back(std::move(word));
  }
  return out;
}

template <typename T>
using Words = std::vector<std::pair<std::string, T>>;

template <typename T>
std::string known_words(const Words<T>& words) {
  std::string out;
  for (const auto& [word, value] : words) out += (out.empty() ? "" : "|") + word;
  return out;
}

// An option whose value is one of a list of words.
template <typename T>
CLI::Option* add_words(CLI::App& app, const std::string& name, const Words<T>& words, T* out,
                       const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [=](const std::string& value) {
            for (const auto& [word, meaning] : words)
              if (word == value) {
                *out = meaning;
                return;
              }
            throw Error(ExitStatus::Usage,
                        name + "=" + escape(value) + ": not one of " + known_words(words));
          },
          help)
      ->type_name(known_words(words));
}

// T: seconds, or an optional of them.
template <typename T>
void add_seconds(CLI::App& app, const std::string& name, T* out, int64_t least,
                 const std::string& help) {
  app.add_option_function<std::string>(
         name,
         [=](const std::string& value) {
           const auto seconds = parse_seconds(value);
           if (!seconds)
             throw Error(ExitStatus::Usage,
                         name + " " + escape(value) + ": not a time, as 90, 1.5s, 5m, 2h or 1d");
           if (*seconds < least || *seconds > 1'000'000)
             throw Error(ExitStatus::Usage, name + " " + escape(value) + ": from " +
                                                std::to_string(least) + " s to 1000000 s");
           *out = std::chrono::seconds(*seconds);
         },
         help)
      ->type_name("SEC");
}

constexpr const char* kNoSize =
    "not a size, as 4096, 1.5M, 64KiB (powers of 1024) or 10MB (of 1000)";

struct Sizes {
  const char* bounds;  // in words
  uint64_t least, most = UINT64_MAX, multiple = 1;
};

template <typename T>
CLI::Option* add_size(CLI::App& app, const std::string& name, const char* type, const Sizes& sizes,
                      T* out, const std::string& help) {
  return app
      .add_option_function<std::string>(
          name,
          [=](const std::string& value) {
            const auto size =
                type == std::string_view("RATE") ? parse_rate(value) : parse_size(value);
            if (!size) throw Error(ExitStatus::Usage, name + " " + escape(value) + ": " + kNoSize);
            if (*size < sizes.least || *size > sizes.most || *size % sizes.multiple != 0)
              throw Error(ExitStatus::Usage, name + " " + escape(value) + ": " + sizes.bounds);
            *out = static_cast<T>(*size);
          },
          help)
      ->type_name(type);
}

// Its host name, and the addresses that another machine may know it by.
std::string names_of_this_machine(const CommonOptions& options) {
  std::array<char, 256> name{}, text{};
  (void)gethostname(name.data(), name.size() - 1);
  std::string out = escape(name.data()) + "; addresses:";
  ifaddrs* interfaces = nullptr;
  if (getifaddrs(&interfaces) != 0) return out + " unknown";
  const Defer free_them([&] { freeifaddrs(interfaces); });
  for (const ifaddrs* i = interfaces; i != nullptr; i = i->ifa_next) {
    const int family = i->ifa_addr != nullptr ? i->ifa_addr->sa_family : AF_UNSPEC;
    if ((i->ifa_flags & IFF_UP) == 0 || (i->ifa_flags & IFF_LOOPBACK) != 0) continue;
    const bool wanted = (family == AF_INET && options.family != Family::V6) ||
                        (family == AF_INET6 && options.family != Family::V4);
    const socklen_t size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    if (!wanted ||
        getnameinfo(i->ifa_addr, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0)
      continue;
    const std::string_view address = text.data();
    if (address.find('%') == std::string_view::npos) out += " " + std::string(address);
  }
  return out;
}

// --help in groups; those of one program only are passed over at the other.
void group_options(CLI::App& app) {
  static const std::pair<const char*, std::vector<const char*>> kGroups[] = {
      {"Where", {"--listen", "-4", "-6", "-T", "--exec", "--name", "--size", "--inplace"}},
      {"Security",
       {"--key-file", "--new-key", "--plain", "--no-auth", "--tls-cert", "--tls-key", "--tls-ca",
        "--ktls"}},
      {"Files",
       {"-r", "-L", "-x", "-p", "-a", "--exclude", "--include", "--exclude-from", "--files-from",
        "--from0", "--no-links", "--delete", "--max-delete", "--mkdir", "-n", "--overwrite",
        "--durability", "--verify", "--verify-first"}},
      {"Output", {"-q", "-v", "--summary", "--progress", "--json", "--digest"}},
      {"Help", {"--help", "--version"}},
      {"ssh",
       {"-P", "-i", "-F", "-J", "-o", "-S", "--remote-program", "--port-range", "--via",
        "--below"}},
      {"Tuning",
       {"--wait", "--timeout", "--streams", "--bwlimit", "--block-size", "--engine",
        "--buffer-size"}}};
  for (const auto& [title, names] : kGroups)
    for (const char* name : names)
      if (CLI::Option* option = app.get_option_no_throw(name)) option->group(title);
}

// What decides how it works here, for reports of faults.
std::string version_text(const std::string& program) {
  const std::string obstacle = ktls_obstacle(suite_of(*suite_bit("aes128")), Ktls::Auto);
  const unsigned xxhash = XXH_versionNumber();
  return program + " " ZX_VERSION "\n" + OpenSSL_version(OPENSSL_VERSION) + "\nxxHash " +
         std::to_string(xxhash / 10000) + "." + std::to_string(xxhash / 100 % 100) + "." +
         std::to_string(xxhash % 100) +
         "\nkernel TLS: " + (obstacle.empty() ? "yes" : "no (" + obstacle + ")");
}

void check(const CommonOptions& o, bool four, bool six) {
  const auto conflict = [](const std::string& text) { throw Error(ExitStatus::Usage, text); };
  if (four && six) conflict("-4 and -6 exclude each other");
  if (o.no_auth && !o.plain) conflict("--no-auth goes only with --plain");
  if (o.no_auth && o.key_file) conflict("--no-auth and --key-file exclude each other");
  if (o.plain && o.ktls == Ktls::On) conflict("--ktls=on and --plain exclude each other");
  if (o.plain && o.certificates) conflict("--tls-cert and --plain exclude each other");
  if (o.key_file && o.certificates) conflict("--tls-cert and --key-file exclude each other");
  if (o.certificates && (o.certificates->certificate.empty() || o.certificates->key.empty() ||
                         o.certificates->authority.empty()))
    conflict("--tls-cert, --tls-key and --tls-ca go together");
}

}  // namespace

bool parse_common_options(CLI::App& app, int argc, const char* const* argv,
                          const std::vector<std::pair<std::string, Engine>>& engines,
                          CommonOptions* o) {
  bool four = false, six = false;
  std::string listen, streams;
  CertificateFiles certificates;

  app.allow_extras();  // the operands: as a list CLI11 would split "[a,b]"
  app.add_flag("-q,--quiet", o->console.quiet, "no messages but errors");
  app.add_flag("-v,--verbose", o->console.verbose, "say more");
  app.add_flag("-4", four, "IPv4 only");
  app.add_flag("-6", six, "IPv6 only");
  app.add_flag("-p", o->preserve, "keep the modification time, at zrecv also the mode");
  app.add_flag("-r", o->recursive, "directories, and all that is below them");
  app.add_flag("-a,--archive", o->archive,
               "-r, -p, and hard links, owners, ACLs, extended attributes");
  app.add_flag("-L,--dereference", o->dereference, "what a symbolic link leads to, in its place");
  app.add_flag("-x,--one-file-system", o->one_file_system,
               "nothing of other file systems that are mounted below");
  add_filter_options(app, o);
  add_delete_options(app, o);
  app.add_flag("-n,--dry-run", o->dry_run, "only say what would be done");
  app.add_flag("--mkdir", o->mkdir, "the destination is a directory, and is made where missing");
  app.add_flag("-T,--no-target-directory", o->no_target_directory,
               "the last operand is the new name, never a directory to put it in");
  app.add_option("--listen", listen, "wait for the other program")->type_name("[HOST:]PORT");
  app.add_option("--key-file", o->key_file, "take the key from this private file")
      ->type_name("FILE");
  app.add_option("--new-key", o->new_key, "make a key file and end")->type_name("FILE");
  app.add_flag("--plain", o->plain, "no encryption (both ends must say so)");
  app.add_flag("--no-auth", o->no_auth, "with --plain: no key either (both ends must say so)");
  app.add_option("--tls-cert", certificates.certificate,
                 "mutual certificates instead of a key: this side's, PEM with its chain")
      ->type_name("FILE");
  app.add_option("--tls-key", certificates.key, "its private key")->type_name("FILE");
  app.add_option("--tls-ca", certificates.authority, "the CAs of the peer's certificate")
      ->type_name("FILE");
  add_words<Ktls>(app, "--ktls", {{"auto", Ktls::Auto}, {"on", Ktls::On}, {"off", Ktls::Off}},
                  &o->ktls, "TLS records by the kernel; on: or fail (auto)");
  // For tests: not in --help.
  Words<std::optional<uint8_t>> suites;
  for (const char* word : {"aes128", "aes256", "chacha20"})
    suites.emplace_back(word, suite_bit(word));
  add_words(app, "--tls-cipher", suites, &o->suite, "")->group("");
  add_size(app, "--rekey-after", "", {"from 1M to 255G", kMinBlockBytes, kKeyLimitBytes},
           &o->key_limit_bytes, "")
      ->group("");
  Words<std::optional<Engine>> engine_words{{"auto", std::nullopt}};
  for (const auto& [word, engine] : engines) engine_words.emplace_back(word, engine);
  add_words<std::optional<Engine>>(app, "--engine", engine_words, &o->engine.asked,
                                   "how bytes move at this end");
  add_size(app, "--buffer-size", "SIZE",
           {"from 4K to 16M, and a multiple of 4K", kMinBufferBytes, kMaxBufferBytes,
            PageBuffer::kPageBytes},
           &o->engine.buffer_bytes,
           "bytes per call of the engine readwrite, 4K to 16M, a multiple of 4K");
  add_size(app, "--block-size", "SIZE", {"from 1M to 16M", kMinBlockBytes, kMaxBlockBytes},
           &o->block_bytes, "bytes per verified block, 1M to 16M (16M)");
  add_size(app, "--bwlimit", "RATE", {"bytes a second, at least 1K", kMinRateLimit}, &o->rate_limit,
           "bytes a second on the network, at least 1K (no limit)");
  app.add_option("--streams", streams, "connections that share the blocks out, 1 to 16 (auto)")
      ->type_name("N|auto");
  add_seconds(app, "--timeout", &o->timeout, 1, "make a lost connection again for so long (60)");
  add_seconds(app, "--wait", &o->wait, 0, "keep trying to connect, or wait for a peer, so long");
  add_words<Durability>(
      app, "--durability",
      {{"file", Durability::File}, {"batch", Durability::Batch}, {"none", Durability::None}},
      &o->durability, "what is on disk when the exit status is 0 (batch)");
  add_words<bool>(app, "--verify", {{"wire", false}, {"disk", true}}, &o->verify_disk,
                  "disk: also read everything again from the disk (wire)");
  add_words<Overwrite>(app, "--overwrite",
                       {{"always", Overwrite::Always},
                        {"never", Overwrite::Never},
                        {"skip", Overwrite::Skip},
                        {"older", Overwrite::Older},
                        {"differ", Overwrite::Differ}},
                       &o->overwrite, "when an existing file is replaced (always)");
  app.add_option("--digest", o->console.digest, "print XXH128 lines for xxhsum -c")
      ->type_name("[=FILE]");
  app.add_option("--json", o->console.json, "one JSON object a line")->type_name("[=FILE]");
  add_words<ProgressMode>(app, "--progress",
                          {{"auto", ProgressMode::Auto},
                           {"always", ProgressMode::Always},
                           {"never", ProgressMode::Never}},
                          &o->console.progress, "progress on stderr (auto: on a terminal)");
  app.add_flag("--summary", o->console.summary,
               "one line of result, also without a terminal and with -q");
  add_ssh_options(app, o);
  add_words<Via>(app, "--via", {{"auto", Via::Auto}, {"direct", Via::Direct}, {"ssh", Via::Ssh}},
                 &o->ssh.via,
                 "with ssh: a connection of its own for the data, or ssh's (auto: if need be)")
      ->each([o](const std::string&) { o->ssh_asked = true; });
  app.set_version_flag("--version", [&app] { return version_text(app.get_name()); });
  group_options(app);

  std::vector<std::string> after_dashes;
  std::vector<std::string> words = with_explicit_values(argc, argv, &after_dashes);
  add_options_of_environment(app, &words);
  std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
  try {
    app.parse(words);
    for (const std::string& word : app.remaining()) {
      if (word.size() > 1 && word[0] == '-')
        throw Error(ExitStatus::Usage, escape(word) + ": no such option" + advice_for(app, word) +
                                           " (see " + app.get_name() + " --help)");
      o->operands.push_back(word);
    }
    o->operands.insert(o->operands.end(), after_dashes.begin(), after_dashes.end());
  } catch (const CLI::Success& answered) {  // --help, --version
    (void)app.exit(answered);
    if (!std::cout.flush()) throw Error(ExitStatus::FileIo, "standard output cannot be written");
    return false;
  } catch (const CLI::ParseError& e) {
    throw Error(ExitStatus::Usage, escape(e.what()) + " (see " + app.get_name() + " --help)");
  }
  if (o->archive) o->recursive = o->preserve = true;
  check_delete_options(*o);
  if (!listen.empty()) o->listen = parse_listen(listen);
  if (four) o->family = Family::V4;
  if (six) o->family = Family::V6;
  if (!streams.empty() && streams != "auto") {
    const auto count = parse_size(streams);
    if (!count || *count < 1 || *count > kMaxStreams ||
        streams.find_first_not_of("0123456789") != std::string::npos)
      throw Error(ExitStatus::Usage, "--streams " + escape(streams) + ": from 1 to 16, or auto");
    o->streams = static_cast<uint16_t>(*count);
  }
  if (!certificates.certificate.empty() || !certificates.key.empty() ||
      !certificates.authority.empty())
    o->certificates = certificates;
  check(*o, four, six);
  if (four) o->ssh.ssh.arguments.emplace_back("-4");
  if (six) o->ssh.ssh.arguments.emplace_back("-6");
  if (o->below && !o->started_by_ssh)
    throw Error(ExitStatus::Usage, "--below goes only with --remote, in authorized_keys");
  size_t allowed = 1;
  for (const char* also : {"--below", "--no-links"})
    if (const CLI::Option* given = app.get_option_no_throw(also)) allowed += given->count();
  if (o->started_by_ssh &&
      (app.parse_order().size() != allowed || !o->operands.empty() || isatty(STDIN_FILENO) == 1))
    throw Error(
        ExitStatus::Usage,
        "--remote is what ssh starts, with nothing but --below DIR, and at zrecv --no-links");
  o->console.silent = o->started_by_ssh;
  if (o->new_key && (o->listen || !o->operands.empty() || app.count("--exec") > 0))
    throw Error(ExitStatus::Usage, "--new-key only makes a key; it goes with nothing else");
  return true;
}

std::string make_key_file(const std::string& path) {
  write_key_file(path, Key::generate());
  return "wrote a new key to " + quote(path) + "; copy it to the other machine and keep it private";
}

Terms make_terms(const CommonOptions& options, const char* program) {
  Terms terms;
  terms.block_bytes = options.block_bytes;
  terms.streams = options.streams;
  terms.durability = options.durability;
  terms.overwrite = options.overwrite;
  terms.file_digest = options.console.digest.has_value();
  terms.no_target_directory = options.no_target_directory;
  terms.preserve = options.preserve;
  terms.mkdir = options.mkdir;
  terms.recursive = options.recursive;
  terms.archive = options.archive;
  terms.dry_run = options.dry_run;
  terms.verify_disk = options.verify_disk;
  terms.rate_limit = options.rate_limit;
  terms.deletes = options.deletes;
  terms.most_deleted = options.most_deleted.value_or(UINT64_MAX);
  terms.build = std::string(program) + " " ZX_VERSION;
  return terms;
}

std::string command_to_paste(const CommonOptions& options, uint16_t port,
                             const std::string& program, const std::string& before,
                             const std::string& after) {
  const std::string& host = options.listen->host;
  const bool known = !host.empty() && host != "0.0.0.0" && host != "::";
  const std::string url = "zs://" + to_text({known ? host : "HOST", port});
  return program + (options.plain ? " --plain " : " ") + before + shell_word(url) + after +
         (known ? ""
                : "\n  (HOST: this machine calls itself " + names_of_this_machine(options) + ")");
}

}  // namespace zx
