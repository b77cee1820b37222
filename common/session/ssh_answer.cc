// SPDX-License-Identifier: MIT
// The side that ssh has started. The other one is in ssh_start.cc.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "common/base/error.h"
#include "common/base/io.h"
#include "common/net/relay.h"
#include "common/session/ssh_start.h"

namespace zx {
namespace {

using std::chrono::seconds;

// The request was sent before this program was started.
constexpr seconds kRequestLimit{30};
// Longer than the asking side needs for all its ways.
constexpr seconds kWayLimit{60};
constexpr seconds kConnectLimit{3};

// Byte by byte: what follows the line may be the session.
std::string read_line(Clock::time_point deadline) {
  std::string line;
  line.reserve(kMaxRequestLineBytes);
  for (;;) {
    if (!wait_any({{STDIN_FILENO}}, deadline))
      throw Error(ExitStatus::Timeout, "start by ssh: nothing came from the other side");
    char c = 0;
    const ssize_t n = retry_eintr([&] { return read(STDIN_FILENO, &c, 1); });
    if (n <= 0) throw Error(ExitStatus::Network, "start by ssh: the other side has gone");
    if (c == '\n') return line;
    if (line.size() >= kMaxRequestLineBytes)
      throw Error(ExitStatus::Protocol, "start by ssh: a line is too long");
    line += c;
  }
}

void write_reply(const StartReply& reply, const std::string& nonce) {
  const std::string text = encode_reply(reply, nonce);
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n =
        retry_eintr([&] { return write(STDOUT_FILENO, text.data() + done, text.size() - done); });
    if (n <= 0) throw Error(ExitStatus::Network, "start by ssh: the other side has gone");
    done += static_cast<size_t>(n);
  }
}

// Standard input and output as one socket, which they may be already (sshd chooses).
Socket channel_socket(seconds idle, std::shared_ptr<void>* keep) {
  struct stat in {
  }, out{};
  const bool one = fstat(STDIN_FILENO, &in) == 0 && fstat(STDOUT_FILENO, &out) == 0 &&
                   S_ISSOCK(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
  // Nothing else may write there any more, and no end may be missed because a copy is open.
  UniqueFd input(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  UniqueFd output(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  const UniqueFd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!input.valid() || !output.valid() || !null.valid() || dup2(null.get(), STDIN_FILENO) < 0 ||
      dup2(null.get(), STDOUT_FILENO) < 0)
    throw_errno(ExitStatus::Internal, "standard input and output", errno);
  constexpr const char* kPeer = "the other side (through ssh)";
  if (one) return {std::move(input), kPeer, idle};
  auto relay = std::make_shared<Relay>(std::move(input), std::move(output));
  UniqueFd socket = relay->take_socket();
  *keep = std::move(relay);
  return {std::move(socket), kPeer, idle};
}

Security security_of(const StartRequest& request) {
  Security s;
  s.mode = request.plain ? Mode::Plain : Mode::TlsPsk;
  s.ktls = request.ktls;
  s.key = request.key;
  if (!request.plain) s.suites = usable_suites(suites_fast_here(), request.ktls);
  return s;
}

class Answer {
 public:
  Answer(Side& side, bool refuse_plain) : side_(side), refuse_plain_(refuse_plain) {}

  FirstConnection run() {
    try {
      return negotiate();
    } catch (const Error& e) {
      report(e);
      throw;
    }
  }

 private:
  // To who has asked. Without a nonce he could not believe it.
  void report(const Error& error) const {
    if (reader_.nonce().empty()) return;
    try {
      write_reply({.kind = StartReply::Kind::Error, .status = error.status(), .text = error.what()},
                  reader_.nonce());
    } catch (const Error&) {  // he has gone
    }
  }

  FirstConnection negotiate() {
    const auto deadline = Clock::now() + kRequestLimit;
    for (bool last = false; !last;) {
      std::string line = read_line(deadline);
      last = reader_.take(line);
      wipe(line);
    }
    const StartRequest& request = reader_.request();
    if (request.role == side_.role)
      throw Error(ExitStatus::Protocol, std::string("start by ssh: both sides are a ") +
                                            role_name(side_.role) + " (see --remote-program)");
    if (request.plain && refuse_plain_)
      throw Error(ExitStatus::Refused, "start by ssh: --plain is refused with --below");
    side_.security = security_of(request);
    side_.timeout = request.idle;
    const char* connection = std::getenv("SSH_CONNECTION");
    client_ = ssh_connection_address(connection, /*server=*/false);
    StartReply ready{.kind = StartReply::Kind::Ready,
                     .server = ssh_connection_address(connection, /*server=*/true)};
    if (!request.listen) {
      write_reply(ready, request.nonce);
      return through();
    }
    auto arrivals =
        std::make_unique<Arrivals>(Listener::on_port_of(request.ports, request.family), side_);
    ready.port = arrivals->port();
    write_reply(ready, request.nonce);
    const auto end = Clock::now() + kWayLimit;
    if (auto h = arrivals->peer(end, STDIN_FILENO))
      return finish(first_as_listener(std::move(arrivals), std::move(*h), side_));
    if (Clock::now() >= end)
      throw Error(ExitStatus::Timeout,
                  "start by ssh: nobody connected to port " + std::to_string(ready.port));
    arrivals.reset();
    for (;;) {
      const StartCommand command = decode_command(read_line(Clock::now() + kRequestLimit));
      if (!command) {
        write_reply({.kind = StartReply::Kind::Through}, request.nonce);
        return through();
      }
      if (auto first = connect_back(*command)) return std::move(*first);
    }
  }

  std::optional<FirstConnection> connect_back(uint16_t port) {
    std::string failure = "the address of the other side is not known";
    if (!client_.empty()) {
      try {
        return finish(connect_once({client_, port}, reader_.request().family,
                                   Clock::now() + kConnectLimit, side_));
      } catch (const Error& e) {
        if (is_fault_here(e)) throw;
        failure = with_address({client_, port}, e);
      }
    }
    write_reply({.kind = StartReply::Kind::Failed, .text = failure}, reader_.nonce());
    return std::nullopt;
  }

  // The asking side speaks first, when it has read the reply.
  FirstConnection through() {
    FirstConnection out;
    Socket socket = channel_socket(side_.timeout, &out.keep);
    side_.security.mode = Mode::Plain;
    side_.security.suites = 0;
    auto h = listener_handshake(
        std::move(socket), side_.role, [this](bool) { return std::optional(side_.security); },
        Clock::now() + kWayLimit);
    if (!h) throw Error(ExitStatus::Network, "start by ssh: the other side has gone");
    out.first = std::move(*h);
    out.named = reader_.request().named;
    return out;
  }

  FirstConnection finish(FirstConnection first) {
    first.lifeline = STDIN_FILENO;
    first.named = reader_.request().named;
    return first;
  }

  Side& side_;
  const bool refuse_plain_;
  RequestReader reader_;
  std::string client_;
};

}  // namespace

FirstConnection answer_start(Side& side, bool refuse_plain) {
  return Answer(side, refuse_plain).run();
}

}  // namespace zx
