"""The start by ssh against hand-written ends: paths that a stranger names, names that were not asked for, a
start of --remote that is broken off or goes wrong, and a session through its standard input and output."""
import os
import re
import socket
import subprocess
from urllib.parse import quote

import speaker as s
from harness import Run, PATIENCE, ZRECV, ZSEND, cases, main, test, within

CONTENT = b"hostile"
R, P = s.REFUSED, s.PROTOCOL
NONCE = "00112233445566778899aabbccddeeff"


# --- a pull, whose other end is written here

def pull(names, status, words, ask=("a", "dir/b"), files=None, terms=None):
    """zrecv box:... with a program in ssh's place that keeps the request, and says where the other end listens."""
    listener = s.Listener()
    with Run() as run:
        fake = run.write("ssh", b"""#!/bin/bash
case " $* " in *" -G "*) exit;; esac
while read -r word value && [ "$word" != end ]; do
  [ "$word" = nonce ] && nonce=$value
  echo "$word $value" >>REQUEST
done
echo "zxfer-ready 2 $nonce PORT 127.0.0.1"
exec cat >/dev/null
""".replace(b"PORT", str(listener.port).encode()).replace(b"REQUEST", os.path.join(run.top, "request").encode()))
        os.chmod(fake, 0o700)
        run.start(ZRECV, "-S", fake, "--plain", *(f"127.0.0.1:{a}" for a in ask), run.dst)
        peer = listener.accept(s.SENDER)
        with open(os.path.join(run.top, "request")) as request:
            lines = request.read().splitlines()
        assert [line for line in lines if line.startswith("operand ")] == [f"operand {a}" for a in ask], lines
        key = s.Key.parse(next(line for line in lines if line.startswith("key "))[4:])
        try:
            theirs = peer.meet(key=key, **{"flags": s.SEVERAL, **(terms or {})})
            assert theirs["path"] == [], theirs
            s.send_files(peer, [(name, CONTENT) for name in names])
        except (AssertionError, s.Closed, s.Told):
            pass
        peer.close()
        os.remove(os.path.join(run.top, "request"))
        run.expect(status, *words, files=files or {})
    listener.close()


@test
def pull_gets_what_it_asked_for():
    pull([b"a", b"b"], 0, (), files={"a": CONTENT, "b": CONTENT})


@cases([("another name", [b"authorized_keys", b"b"], R, "it was not asked for"),
        ("the other order", [b"b", b"a"], R, "it was not asked for"),
        ("the path", [[b"dir", b"b"], b"b"], R, "it was not asked for"),
        ("one more", [b"a", b"b", b"c"], R, "it was not asked for"),
        ("one less", [b"a"], P, "1 of 2 entries that were asked for")])
def pull_gets_something_else(names, status, words):
    # What came before it was right, but nothing is committed without a verdict.
    pull(names, status, (words,))


@cases([("the name is another machine", "127.0.0.2", "127.0.0.1", False),
        ("in IPv6 clothes", "127.0.0.2", "::ffff:127.0.0.1", False),
        ("the name is not known here", "no.such.name.invalid", "127.0.0.1", False),
        ("the name is this machine", "127.0.0.1", "127.0.0.1", True)])
def ready_sends_us_to(name, server, reached):
    # Not one byte goes to an address that is not one of the host's name.
    stranger = socket.create_server(("127.0.0.1", 0))
    stranger.settimeout(0)
    with Run() as run:
        fake = run.write("ssh", b"""#!/bin/bash
case " $* " in *" -G "*) echo hostname NAME; exit;; esac
while read -r word value && [ "$word" != end ]; do [ "$word" = nonce ] && nonce=$value; done
echo "zxfer-ready 2 $nonce PORT SERVER"
read -r back
echo "zxfer-failed 2 $nonce no"
exec cat >/dev/null
""".replace(b"PORT", str(stranger.getsockname()[1]).encode()).replace(b"NAME", name.encode())
                         .replace(b"SERVER", server.encode()))
        os.chmod(fake, 0o700)
        run.start(ZRECV, "-S", fake, "--via=direct", "box:a", run.dst)
        if reached:
            stranger.settimeout(PATIENCE)
            stranger.accept()[0].close()
        run.expect(5, "--via=direct", files={})
        stranger.settimeout(0)
        try:
            stranger.accept()[0].close()
        except BlockingIOError:
            pass
        else:
            raise AssertionError("the stranger was connected to")
    stranger.close()


# --- --remote, whose other end is written here

class Remote:
    """`program --remote` with one socket or two pipes, as sshd may have them."""

    def __init__(self, run, program, pipes=False, operands=("x",), names=(), **changes):
        self.key = s.Key()
        self.mine, theirs = socket.socketpair()
        if pipes:
            # The program's ends are pipes; cat carries them to and from the socket.
            out, back = os.pipe(), os.pipe()
            self.cats = [subprocess.Popen(["cat"], stdin=theirs, stdout=out[1]),
                         subprocess.Popen(["cat"], stdin=back[0], stdout=theirs)]
            ends = out[0], back[1]
        else:
            self.cats, ends = [], (theirs, theirs)
        environment = {k: v for k, v in os.environ.items() if k != "ZXFER_KEY"}
        environment["SSH_CONNECTION"] = "127.0.0.1 1 127.0.0.1 2"
        self.process = subprocess.Popen([program, "--remote"], stdin=ends[0], stdout=ends[1], cwd=run.dst,
                                        stderr=subprocess.PIPE, env=environment)
        theirs.close()
        if pipes:
            for fd in (*out, *back):
                os.close(fd)
        self.mine.settimeout(20)
        lines = {"zxfer-start": "2", "nonce": NONCE, "key": self.key.text(),
                 "role": "sender" if program == ZRECV else "receiver", "mode": "tls", "ktls": "off",
                 "family": "any", "ports": "0-0", "timeout": "20", "listen": "no", **changes}
        self.send("".join(f"{k} {v}\n" for k, v in lines.items() if v is not None) +
                  "".join(f"operand {quote(o)}\n" for o in operands) + "".join(f"name {quote(n)}\n" for n in names) + "end\n")

    def send(self, text):
        self.mine.sendall(text.encode())

    def line(self):
        """The next line that is not empty; "" at the end."""
        out = b""
        while not out.endswith(b"\n") or out == b"\n":
            out = b"" if out == b"\n" else out
            byte = self.mine.recv(1)
            if not byte:
                return ""
            out += byte
        return out.decode().rstrip("\n")

    def through(self, role, **terms):
        peer = s.Peer(self.mine, role, True)
        peer.meet(key=self.key, **terms)
        return peer

    def finish(self):
        self.mine.close()
        status = self.process.wait(PATIENCE)
        stderr = self.process.stderr.read()
        self.process.stderr.close()
        for cat in self.cats:
            cat.wait(PATIENCE)
        return status, stderr


@cases([("one socket", False), ("two pipes", True)])
def remote_through_its_standard_streams(pipes):
    content = os.urandom(3_000_000)
    with Run() as run:
        remote = Remote(run, ZRECV, pipes, operands=["new name"])
        assert remote.line() == f"zxfer-ready 2 {NONCE} 0 127.0.0.1"
        peer = remote.through(s.SENDER, streams=8)
        assert peer.theirs["streams"] == 1
        verdict = s.send_files(peer, [(b"f", content)])
        assert verdict["status"] == 0, verdict
        peer.end_sending()
        assert remote.finish() == (0, b"")
        assert run.tree() == {"dst": None, "dst/new name": content}


@cases([("nothing", [], P), ("two", ["a", "b"], P), ("a missing folder", ["no/x"], s.FILE_IO)])
def remote_receiver_operands(operands, status):
    with Run() as run:
        remote = Remote(run, ZRECV, operands=operands)
        assert remote.line()
        peer = remote.through(s.SENDER)
        frames = peer.hear()
        assert s.read_error(frames[-1].body)["status"] == status, frames
        assert remote.finish() == (status, b"")
        assert run.tree() == {"dst": None}


@cases([("a further connection", s.streams(2)), ("JOIN", s.join([bytes(24)] * 2, bytes(16)))])
def remote_has_one_connection_through_ssh(frame):
    with Run() as run:
        remote = Remote(run, ZRECV)
        assert remote.line()
        peer = remote.through(s.SENDER)
        peer.send(frame)
        assert s.read_error(peer.hear()[-1].body)["status"] == P
        assert remote.finish() == (P, b"")
        assert run.tree() == {"dst": None}


@cases([("closed", lambda peer: peer.close()), ("half closed", lambda peer: (peer.end_sending(), peer.drain()))])
def remote_ends_with_the_connection_through_ssh(end):
    """There is no other one: it is not waited for."""
    soon = within(10)
    with Run() as run:
        remote = Remote(run, ZRECV)
        assert remote.line()
        peer = remote.through(s.SENDER)
        content = os.urandom(2 * s.MIB)
        peer.send(s.entry(1, "f", len(content)), s.block(1, 0, content[:s.MIB]))
        s.collect_acks(peer, 1, [0])
        end(peer)
        assert remote.finish() == (s.NETWORK, b"")
        assert run.tree() == {"dst": None}
    soon()


@test
def remote_sender_says_what_it_cannot_read():
    with Run() as run:
        remote = Remote(run, ZSEND, operands=["missing"])
        assert remote.line()
        peer = remote.through(s.RECEIVER)
        error = s.read_error(peer.hear()[-1].body)
        assert error["status"] == s.FILE_IO and b"missing" in error["text"], error
        assert remote.finish() == (s.FILE_IO, b"")


@cases([("another version", {"zxfer-start": "3"}, P), ("no challenge", {"mode": "plain-no-auth"}, P), ("no key", {"key": None}, P),
        ("a bad key", {"key": "zk1_" + "0" * 64}, s.AUTH), ("the same role", {"role": "receiver"}, P),
        ("a port that is taken", {"listen": "yes", "ports": "PORT-PORT"}, s.NETWORK)])
def remote_start_that_goes_wrong(changes, status):
    taken = s.Listener()
    port = str(taken.port)
    with Run() as run:
        remote = Remote(run, ZRECV, **{k: v and v.replace("PORT", port) for k, v in changes.items()})
        line = remote.line()
        assert re.match(f"zxfer-error 2 {NONCE} {status} ", line), line
        assert remote.finish() == (status, b"")
    taken.close()


@test
def remote_listener_is_found_by_strangers():
    """They are turned away, silent ones without any delay; the one with the key is the peer."""
    with Run() as run:
        remote = Remote(run, ZRECV, mode="plain", listen="yes")
        port = int(re.fullmatch(rf"zxfer-ready 2 {NONCE} (\d+) 127.0.0.1", remote.line())[1])
        silent = [s.connect(port, s.SENDER) for _ in range(3)]
        loud = s.connect(port, s.SENDER)
        loud.send(b"GET / HTTP/1.0\r\n\r\n")
        assert loud.drain() == b""
        wrong = s.connect(port, s.SENDER)
        wrong.exchange_prefaces(no_auth=False)
        assert not wrong.authenticate(s.Key())
        # Who says that neither side needs a key is told that this one does.
        keyless = s.connect(port, s.SENDER)
        assert keyless.exchange_prefaces(no_auth=True)[14] == 5
        peer = s.connect(port, s.SENDER)
        peer.meet(key=remote.key)
        assert s.send_files(peer, [(b"f", CONTENT)])["status"] == 0
        peer.end_sending()
        assert remote.finish() == (0, b"")
        assert run.tree() == {"dst": None, "dst/x": CONTENT}
        for one in (*silent, loud, wrong, keyless, peer):
            one.close()


# On the path of a plain connection: what is changed in it chooses neither a file nor a folder.

def changed_on_its_way(status, hello, entry):
    with Run() as run:
        os.mkdir(os.path.join(run.dst, ".ssh"))
        remote = Remote(run, ZRECV, mode="plain", listen="yes", operands=["."], names=["f"])
        port = int(remote.line().split()[3])
        peer = s.connect(port, s.SENDER)
        try:
            peer.meet(key=remote.key, **hello)
            s.send_files(peer, [(entry, CONTENT)])
        except (AssertionError, s.Closed, s.Told):
            pass
        peer.close()
        ended, stderr = remote.finish()
        assert ended == status, (ended, stderr)
        wanted = {"dst": None, "dst/.ssh": None, **({"dst/f": CONTENT} if status == 0 else {})}
        assert run.tree() == wanted, run.tree()


@cases([("nothing", 0, {}, b"f"), ("the path", R, {"path": [b".ssh", b"authorized_keys"]}, b"f"),
        ("the path of a folder", R, {"path": [b".ssh"]}, b"f"), ("the name", R, {}, b".bashrc")])
def plain_start_by_ssh(status, hello, entry):
    changed_on_its_way(status, hello, entry)


@test
def operands_in_hello_are_no_terms():
    """As they were before: behind the last field of HELLO."""
    with Run() as run:
        remote = Remote(run, ZRECV, mode="plain", listen="yes", operands=["x"], names=["f"])
        peer = s.connect(int(remote.line().split()[3]), s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        assert peer.authenticate(remote.key)
        hello = s.terms(peer.prefaces, session=os.urandom(16))
        end = hello.rindex(s.text(b"speaker 1"))
        peer.send(s.message(s.HELLO, hello[:end] + s.text_list([b".ssh/authorized_keys"]) + hello[end:]))
        assert s.read_error(peer.hear()[-1].body)["status"] == P
        assert remote.finish()[0] == P
        assert run.tree() == {"dst": None}


@cases([("before the request", None), ("as it listens", "yes")])
def remote_ends_with_its_input(listen):
    with Run() as run:
        if listen:
            remote = Remote(run, ZRECV, listen=listen)
            assert remote.line()
        else:
            remote = Remote(run, ZRECV, listen=None)
            remote.mine.shutdown(socket.SHUT_WR)
        assert remote.finish() in ((s.NETWORK, b""), (P, b""))


@test
def remote_goes_through_after_all_else_failed():
    with Run() as run:
        remote = Remote(run, ZRECV, listen="yes")
        assert remote.line()
        taken = s.Listener()
        port = taken.port
        taken.close()
        remote.send(f"back {port}\n")
        assert remote.line() == f"zxfer-failed 2 {NONCE} 127.0.0.1:{port}: connect: Connection refused"
        remote.send("through\n")
        assert remote.line() == f"zxfer-through 2 {NONCE}"
        peer = remote.through(s.SENDER)
        assert s.send_files(peer, [(b"f", CONTENT)])["status"] == 0
        peer.end_sending()
        assert remote.finish() == (0, b"")
        assert run.tree() == {"dst": None, "dst/x": CONTENT}


if __name__ == "__main__":
    main()
