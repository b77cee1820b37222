"""The start by ssh against hand-written ends: paths that a stranger names, names that were not asked for, a
start of --remote that is broken off or goes wrong, and a session through its standard input and output."""
import os
import re
import socket
import subprocess

import speaker as s
from harness import Run, PATIENCE, ZRECV, ZSEND, cases, hostile_receiver, hostile_sender, main, test, zrecv

CONTENT = b"hostile"
R, P = s.REFUSED, s.PROTOCOL
STRANGER = "did not start this program"
NONCE = "00112233445566778899aabbccddeeff"


# --- operands from who has not started the program

@cases([("absolute", [b"/etc/x"]), ("two", [b"a", b"b"]), ("climbing", [b"../x"])])
def operands_of_a_sender_who_connects(operands):
    def script(peer):
        peer.send(s.entry(1, b"f", len(CONTENT)), s.block(1, 0, CONTENT))
    hostile_sender(script, R, STRANGER, terms={"operands": operands})


@test
def operands_of_a_receiver_who_listens():
    hostile_receiver(lambda p: None, R, STRANGER, terms={"operands": [b"/etc/passwd"]})


@test
def operands_of_a_receiver_who_connects():
    with Run() as run:
        path = run.write("offered", CONTENT)
        secret = run.write("secret", b"secret")
        run.start(ZSEND, "--plain", "--no-auth", "--listen", "127.0.0.1:0", path).wait_listening()
        peer = s.connect(run.port, s.RECEIVER)
        try:
            peer.meet(sources=1, operands=[secret.encode()])
            assert False, "it was agreed"
        except s.Told as told:
            assert s.read_error(told.args[0].body)["status"] == R
        assert b"secret" not in peer.drain()
        peer.close()
        run.expect(R, STRANGER, files={})


@cases([("empty", [b""]), ("NUL", [b"a\0b"])])
def operands_that_are_no_paths(operands):
    hostile_sender(lambda p: None, P, "operands: not a path", terms={"operands": operands})


# --- a pull, whose other end is written here

def pull(names, status, words, ask=("a", "dir/b"), files=None, terms=None):
    """zrecv box:... with a program in ssh's place that only says where the other end listens."""
    listener = s.Listener()
    with Run() as run:
        fake = run.write("ssh", b"""#!/bin/bash
case " $* " in *" -G "*) exit;; esac
while read -r word value && [ "$word" != end ]; do [ "$word" = nonce ] && nonce=$value; done
echo "zxfer-ready 1 $nonce PORT 127.0.0.1"
exec cat >/dev/null
""".replace(b"PORT", str(listener.port).encode()))
        os.chmod(fake, 0o700)
        run.start(ZRECV, "-S", fake, "--plain", "--no-auth", *(f"127.0.0.1:{a}" for a in ask), run.dst)
        peer = listener.accept(s.SENDER)
        theirs = peer.meet(**{"sources": len(names), **(terms or {})})
        assert theirs["operands"] == [a.encode() for a in ask] and theirs["path"] == [], theirs
        try:
            s.send_files(peer, [(name, CONTENT) for name in names])
        except (AssertionError, s.Closed, s.Told):
            pass
        peer.close()
        run.expect(status, *words, files=files or {})
    listener.close()


@test
def pull_gets_what_it_asked_for():
    pull([b"a", b"b"], 0, (), files={"a": CONTENT, "b": CONTENT})


@cases([("another name", [b"authorized_keys", b"b"], R, "it was not asked for"),
        ("the other order", [b"b", b"a"], R, "it was not asked for"),
        ("the path", [[b"dir", b"b"], b"b"], R, "it was not asked for"),
        ("one more", [b"a", b"b", b"c"], R, "it was not asked for"),
        ("one less", [b"a"], P, "announced 2 entries and sent 1")])
def pull_gets_something_else(names, status, words):
    # What came before it was right, but nothing is committed without a verdict.
    pull(names, status, (words,))


@test
def pull_is_given_operands():
    pull([b"a", b"b"], R, (STRANGER,), terms={"operands": [b"/etc/passwd"]})


# --- --remote, whose other end is written here

class Remote:
    """`program --remote` with one socket or two pipes, as sshd may have them."""

    def __init__(self, run, program, pipes=False, **changes):
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
        lines = {"zxfer-start": "1", "nonce": NONCE, "key": self.key.text(),
                 "role": "sender" if program == ZRECV else "receiver", "mode": "tls", "ktls": "off",
                 "family": "any", "ports": "0-0", "timeout": "20", "listen": "no", **changes}
        self.send("".join(f"{k} {v}\n" for k, v in lines.items() if v is not None) + "end\n")

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
        remote = Remote(run, ZRECV, pipes)
        assert remote.line() == f"zxfer-ready 1 {NONCE} 0 127.0.0.1"
        peer = remote.through(s.SENDER, sources=1, operands=[b"new name"], streams=8)
        assert peer.theirs["streams"] == 1
        verdict = s.send_files(peer, [(b"f", content)])
        assert verdict["status"] == 0, verdict
        peer.end_sending()
        assert remote.finish() == (0, b"")
        assert run.tree() == {"dst": None, "dst/new name": content}


@cases([("nothing", [], P), ("two", [b"a", b"b"], P), ("a missing folder", [b"no/x"], s.FILE_IO)])
def remote_receiver_operands(operands, status):
    with Run() as run:
        remote = Remote(run, ZRECV)
        assert remote.line()
        peer = remote.through(s.SENDER, sources=1, operands=operands)
        frames = peer.hear()
        assert s.read_error(frames[-1].body)["status"] == status, frames
        assert remote.finish() == (status, b"")
        assert run.tree() == {"dst": None}


@cases([("a further connection", s.streams(2)), ("SWITCH", s.message(s.SWITCH))])
def remote_has_one_connection_through_ssh(frame):
    with Run() as run:
        remote = Remote(run, ZRECV)
        assert remote.line()
        peer = remote.through(s.SENDER, sources=1, operands=[b"x"])
        peer.send(frame)
        assert s.read_error(peer.hear()[-1].body)["status"] == P
        assert remote.finish() == (P, b"")
        assert run.tree() == {"dst": None}


@test
def remote_sender_says_what_it_cannot_read():
    with Run() as run:
        remote = Remote(run, ZSEND)
        assert remote.line()
        peer = remote.through(s.RECEIVER, sources=1, operands=[b"missing"])
        error = s.read_error(peer.hear()[-1].body)
        assert error["status"] == s.FILE_IO and b"missing" in error["text"], error
        assert remote.finish() == (s.FILE_IO, b"")


@cases([("another version", {"zxfer-start": "2"}, P), ("no key", {"key": None}, P),
        ("a bad key", {"key": "zk1_" + "0" * 64}, s.AUTH), ("the same role", {"role": "receiver"}, P),
        ("a port that is taken", {"listen": "yes", "ports": "PORT-PORT"}, s.NETWORK)])
def remote_start_that_goes_wrong(changes, status):
    taken = s.Listener()
    port = str(taken.port)
    with Run() as run:
        remote = Remote(run, ZRECV, **{k: v and v.replace("PORT", port) for k, v in changes.items()})
        line = remote.line()
        assert re.match(f"zxfer-error 1 {NONCE} {status} ", line), line
        assert remote.finish() == (status, b"")
    taken.close()


@test
def remote_listener_is_found_by_strangers():
    """They are turned away, silent ones without any delay; the one with the key is the peer."""
    with Run() as run:
        remote = Remote(run, ZRECV, mode="plain", listen="yes")
        port = int(re.fullmatch(rf"zxfer-ready 1 {NONCE} (\d+) 127.0.0.1", remote.line())[1])
        silent = [s.connect(port, s.SENDER) for _ in range(3)]
        loud = s.connect(port, s.SENDER)
        loud.send(b"GET / HTTP/1.0\r\n\r\n")
        assert loud.drain() == b""
        wrong = s.connect(port, s.SENDER)
        wrong.exchange_prefaces(no_auth=False)
        assert not wrong.authenticate(s.Key())
        peer = s.connect(port, s.SENDER)
        peer.meet(key=remote.key, sources=1, operands=[b"x"])
        assert s.send_files(peer, [(b"f", CONTENT)])["status"] == 0
        peer.end_sending()
        assert remote.finish() == (0, b"")
        assert run.tree() == {"dst": None, "dst/x": CONTENT}
        for one in (*silent, loud, wrong, peer):
            one.close()


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
        assert remote.line() == f"zxfer-failed 1 {NONCE} 127.0.0.1:{port}: connect: Connection refused"
        remote.send("through\n")
        assert remote.line() == f"zxfer-through 1 {NONCE}"
        peer = remote.through(s.SENDER, sources=1, operands=[b"x"])
        assert s.send_files(peer, [(b"f", CONTENT)])["status"] == 0
        peer.end_sending()
        assert remote.finish() == (0, b"")
        assert run.tree() == {"dst": None, "dst/x": CONTENT}


if __name__ == "__main__":
    main()
