// SPDX-License-Identifier: MIT
// The side that asks. The other one is in ssh_answer.cc.
#include "common/session/ssh_start.h"

#include <algorithm>

#include "common/base/error.h"
#include "common/base/quote.h"
#include "common/base/stop.h"
#include "common/session/blocked_host.h"

namespace zx {
namespace {

using std::chrono::seconds;

// For one way: what a firewall drops must cost seconds, and a second SYN shall have its chance.
constexpr seconds kWayLimit{3};
// From connected to authenticated.
constexpr seconds kProofLimit{5};
// The other end connects within kWayLimit and proves itself within kProofLimit.
constexpr seconds kBackLimit{10};
// Beside a start of ssh that has come to its end: the host's name and its addresses.
constexpr std::chrono::milliseconds kNameLimit{2000}, kLook{50};
// After its last word: until ssh has told its exit status.
constexpr std::chrono::milliseconds kEndLimit{5000};
// Lost on ways that are blocked: from here on it is worth a line.
constexpr seconds kWorthSaying{1};

// Nothing that could be the request, come back from a shell that repeats what it reads.
bool may_be_shown(std::string_view line) {
  return line.find("zk1_") == std::string_view::npos;
}

// None when they are not known in time.
std::vector<std::string> known_soon(std::future<std::vector<std::string>>& addresses) {
  const auto end = Clock::now() + kNameLimit;
  while (addresses.wait_for(kLook) != std::future_status::ready) {
    check_stop();
    if (Clock::now() >= end) return {};
  }
  return addresses.get();
}

// Behind one name there is another host with another configuration or jump host.
std::string key_of(const SshEndpoint& endpoint, const SshStart& start, Family family) {
  std::string key;
  for (const std::string& word : ssh_arguments(start.ssh, endpoint, "")) key += word + '\0';
  return key + std::to_string(start.ports.first) + '-' + std::to_string(start.ports.last) + '/' +
         std::to_string(static_cast<int>(family));
}

// What must end after the session's connections: first ssh's input, then ssh.
struct SshRun {
  explicit SshRun(const std::vector<std::string>& argv, SshProcess::Say say)
      : process(argv, std::move(say)) {}
  SshProcess process;
  std::optional<Socket> control;  // not there when the session is in it
};

class Start {
 public:
  Start(const SshEndpoint& endpoint, const SshStart& start, const Named& named, Family family,
        const Side& side)
      : endpoint_(endpoint),
        start_(start),
        side_(side),
        counterpart_(side.role == Role::Sender ? "zrecv" : "zsend"),
        host_(quote(ssh_destination(endpoint))),
        request_{.nonce = make_nonce(),
                 .key = side.security.key,
                 .role = side.role,
                 .plain = side.security.mode == Mode::Plain,
                 .ktls = side.security.ktls,
                 .family = family,
                 .ports = start.ports,
                 .idle = side.timeout,
                 .listen = start.via != Via::Ssh,
                 .named = named},
        scanner_(request_.nonce,
                 [this](std::string_view line) {
                   if (!may_be_shown(line)) return;
                   last_printed_ = quote_peer_text(line);
                   side_.notices.detail(host_ + " prints: " + last_printed_);
                 }),
        blocked_(key_of(endpoint, start, family)) {}

  FirstConnection run() {
    if (start_.via == Via::Direct) blocked_.forget();
    const auto known = start_.via == Via::Auto ? blocked_.recall() : std::nullopt;
    if (known)
      add_obstacle("the ports were blocked " + std::to_string(known->ago.count()) +
                   " min ago (--via=direct tries them)");
    if (start_.via == Via::Ssh) add_obstacle("--via=ssh");
    const bool back_first = known && known->via == "back";
    request_.listen = obstacles_.empty() || back_first;
    begin();
    if (!request_.listen) {
      (void)await(StartReply::Kind::Ready, 2 * side_.timeout);
      side_.notices.detail("data goes through ssh: " + obstacles_);
      return through();
    }
    auto host_addresses = find_ssh_host(start_.ssh, endpoint_, request_.family);
    const StartReply ready = await(StartReply::Kind::Ready, 2 * side_.timeout);
    if (ready.port == 0) throw Error(ExitStatus::Protocol, host_ + ": ready without a port");

    auto of_name = back_first ? std::vector<std::string>() : known_soon(host_addresses);
    const auto begun = Clock::now();
    if (!back_first)
      if (auto first = connect(ready, std::move(of_name))) return std::move(*first);
    if (auto first = let_connect()) {
      if (!back_first) say_lost(host_ + " connects back", "back", begun);
      return std::move(*first);
    }
    if (back_first) blocked_.forget();
    if (start_.via == Via::Direct)
      throw Error(ExitStatus::Network,
                  host_ + ": no connection for the data, and --via=direct: " + obstacles_);
    side_.notices.detail("data goes through ssh: " + obstacles_);
    say_lost("data goes through ssh", "ssh", begun);
    command(std::nullopt);
    (void)await(StartReply::Kind::Through, side_.timeout);
    return through();
  }

 private:
  void begin() {
    const std::string program =
        start_.remote_program.empty() ? counterpart_ : shell_word(start_.remote_program);
    run_ = std::make_shared<SshRun>(
        ssh_arguments(start_.ssh, endpoint_, program + " --remote"),
        [&notices = side_.notices](const auto& line) {
          if (may_be_shown(line))
            notices.note("ssh: " + line);  // as long as ssh runs, not only here
        });
    run_->control.emplace(run_->process.take_socket(), host_ + " (through ssh)", side_.timeout);
    std::string text = encode_request(request_);
    try {
      run_->control->send_all(as_bytes(text), More::No);
    } catch (const Error&) {  // ssh has ended: await() finds out why
    }
    wipe(text);
  }

  StartReply await(StartReply::Kind wanted, seconds limit) {
    const auto deadline = Clock::now() + limit;
    for (;;) {
      if (auto reply = next_reply()) {
        if (reply->kind == wanted) return *reply;
        continue;  // "failed" of a way that was given up already
      }
      if (!wait_any({{run_->control->fd()}}, deadline))
        throw Error(ExitStatus::Timeout, host_ + ": no answer from " + counterpart_ +
                                             " there within " + std::to_string(limit.count()) +
                                             " s");
      receive();
    }
  }

  void command(StartCommand what) {
    try {
      run_->control->send_all(as_bytes(encode_command(what)), More::No);
    } catch (const Error& e) {
      if (e.status() != ExitStatus::Network) throw;
      throw_end();
    }
  }

  // What has come from the other end. Throws when that was the end.
  void receive() {
    std::array<std::byte, 4096> buffer{};
    size_t n = 0;
    try {
      n = run_->control->recv_some(buffer);
    } catch (const Error& e) {  // reset: ssh ended with our request unread
      if (e.status() != ExitStatus::Network) throw;
    }
    if (n == 0) throw_end();
    scanner_.feed({reinterpret_cast<const char*>(buffer.data()), n});
  }

  std::optional<StartReply> next_reply() {
    std::optional<StartReply> reply;
    try {
      reply = scanner_.next();
    } catch (const Error& e) {
      throw Error(e.status(), host_ + ": " + e.what());
    }
    if (reply && reply->kind == StartReply::Kind::Error)
      throw Error(reply->status, host_ + ": " + quote_peer_text(reply->text), Origin::Peer);
    return reply;
  }

  [[noreturn]] void throw_end() {
    run_->control.reset();
    try {
      scanner_.feed("\n");  // what has no line end was printed, too
      (void)scanner_.next();
    } catch (const Error&) {  // more than can be shown
    }
    const SshProcess::End end = run_->process.wait(kEndLimit);
    std::string last;
    if (!end.last_line.empty() && may_be_shown(end.last_line))
      last = end.last_line;
    else if (!last_printed_.empty())  // as accounts do that may not run commands
      last = "it prints: " + last_printed_;
    const std::string after_colon = last.empty() ? "" : ": " + last;
    if (end.how.signal != 0)
      throw Error(ExitStatus::Network, host_ + ": ssh " + end.how.text() + after_colon);
    constexpr int kSshFailed = 255, kNotFound = 127, kNotExecutable = 126;
    if (end.how.status == kSshFailed)
      throw Error(ExitStatus::Network,
                  host_ + ": ssh failed" + (last.empty() ? " (exit status 255)" : after_colon));
    const std::string in_brackets = last.empty() ? "" : " (" + last + ")";
    const bool named = !start_.remote_program.empty();
    const std::string program = named ? quote(start_.remote_program) : counterpart_;
    if (end.how.status == kNotExecutable)
      throw Error(ExitStatus::Network, program + " cannot be run on " + host_ +
                                           "; --remote-program names the program itself" +
                                           in_brackets);
    // csh has no status of its own for it.
    if (end.how.status == kNotFound ||
        (end.how.status == 1 && end.last_line.find("not found") != std::string::npos))
      throw Error(ExitStatus::Network,
                  (named ? program + ", of --remote-program, is not there on " + host_
                         : program + " is not installed on " + host_ +
                               ", or not in the PATH there: install it, or name it with "
                               "--remote-program") +
                      in_brackets);
    throw Error(ExitStatus::Protocol, host_ + ": " + counterpart_ + " --remote " + end.how.text() +
                                          " before the session" + after_colon);
  }

  // --- the three ways

  std::optional<FirstConnection> connect(const StartReply& ready,
                                         std::vector<std::string> of_name) {
    const std::vector<std::string> hosts =
        data_addresses(ready.server, std::move(of_name), request_.family);
    if (hosts.empty()) add_obstacle("no address of " + host_ + " is known");
    const auto end = Clock::now() + kWayLimit;
    for (size_t i = 0; i < hosts.size(); ++i) {
      const auto share = std::max(end - Clock::now(), Clock::duration(0)) /
                         static_cast<Clock::rep>(hosts.size() - i);
      try {
        auto first =
            connect_once({hosts[i], ready.port}, request_.family, Clock::now() + share, side_);
        return finish(std::move(first), "direct", "");
      } catch (const Error& e) {
        if (is_fault_here(e)) throw;
        add_obstacle(with_address({hosts[i], ready.port}, e));
      }
    }
    return std::nullopt;
  }

  std::optional<FirstConnection> let_connect() {
    std::optional<Listener> listener;
    try {
      listener = Listener::on_port_of(start_.ports, request_.family);
    } catch (const Error& e) {
      add_obstacle(std::string("connecting back: ") + e.what());
      return std::nullopt;
    }
    side_.notices.detail("the data port is blocked (" + obstacles_ + "); " + host_ +
                         " connects back to port " + std::to_string(listener->port()));
    command(listener->port());
    auto arrivals = std::make_unique<Arrivals>(std::move(*listener), side_);
    const auto end = Clock::now() + kBackLimit;
    while (Clock::now() < end) {
      if (auto h = arrivals->peer(end, run_->control->fd()))
        return finish(first_as_listener(std::move(arrivals), std::move(*h), side_), "back",
                      obstacles_);
      if (!run_->control->readable_now()) continue;
      receive();
      const auto reply = next_reply();
      if (!reply || reply->kind != StartReply::Kind::Failed) continue;
      add_obstacle("connecting back: " + quote_peer_text(reply->text));
      return std::nullopt;
    }
    add_obstacle("connecting back: nobody came within " + std::to_string(kBackLimit.count()) +
                 " s");
    return std::nullopt;
  }

  // ssh encrypts; the challenge makes sure that it is our program at the other end of the channel.
  FirstConnection through() {
    Security inside;
    inside.mode = Mode::Plain;
    inside.key = side_.security.key;
    FirstConnection out;
    out.first = connector_handshake(std::move(*run_->control), side_.role, inside);
    run_->control.reset();
    out.connector = true;
    return finish(std::move(out), "ssh", obstacles_);
  }

  FirstConnection finish(FirstConnection first, const char* via, const std::string& why) {
    first.keep = run_;
    first.named = request_.named;
    first.via = via;
    first.why = why;
    return first;
  }

  // A firewall that drops would cost the same in every run.
  void say_lost(const std::string& way, const char* via, Clock::time_point begun) {
    const auto lost = Clock::now() - begun;
    if (lost < kWorthSaying) return;
    blocked_.remember(via);
    side_.notices.note(way + ": the ports are blocked (" +
                       std::to_string(std::chrono::round<seconds>(lost).count()) +
                       " s lost; --via=ssh or --port-range avoids that)");
  }

  void add_obstacle(const std::string& text) {
    obstacles_ += (obstacles_.empty() ? "" : "; ") + text;
  }

  const SshEndpoint& endpoint_;
  const SshStart& start_;
  const Side& side_;
  const std::string counterpart_, host_;
  StartRequest request_;
  ReplyScanner scanner_;
  const BlockedHost blocked_;
  std::shared_ptr<SshRun> run_;
  std::string obstacles_, last_printed_;
};

}  // namespace

std::string with_address(const HostPort& address, const Error& error) {
  const std::string where = to_text(address) + ": ", what = error.what();
  return what.starts_with(where) ? what : where + what;
}

FirstConnection connect_once(const HostPort& address, Family family, Clock::time_point end,
                             const Side& side) {
  Socket socket = connect_to(address, family, seconds(0), side.timeout, end);
  return first_as_connector(
      connector_handshake(std::move(socket), side.role, side.security, Clock::now() + kProofLimit),
      side);
}

FirstConnection start_by_ssh(const SshEndpoint& endpoint, const SshStart& start, const Named& named,
                             Family family, const Side& side) {
  return Start(endpoint, start, named, family, side).run();
}

}  // namespace zx
