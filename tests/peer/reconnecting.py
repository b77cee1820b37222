"""Sessions whose first connection is lost and made again, for reconnect_*_test.py and strangers_test.py: with a zrecv
or a zsend, in plain mode, and with a zsend under TLS with a throw-away certificate."""
import atexit
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import time

import speaker as s
from harness import ZRECV, ZSEND, Run, zrecv, zsend_to

FORMS = ("listens", "connects")
KEY = s.Key()
QUICK = ["--timeout=2"]
OLD = {"f": b"old content"}
CONTENT = os.urandom(3 * s.MIB + 17)
ONE = s.Sent(1, "f", CONTENT)


def until(condition, limit=20):
    """What the condition came to, as soon as that is true."""
    give_up = time.monotonic() + limit
    while not (result := condition()):
        assert time.monotonic() < give_up, "never true"
        time.sleep(0.01)
    return result


def peeked(peer):
    """The types of the frames that wait to be read."""
    try:
        raw = peer.socket.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return []
    kinds, at = [], 0
    while at + s.HEADER <= len(raw):
        kind, _, length = struct.unpack(">HHI", raw[at:at + 8])
        kinds.append(kind)
        at += s.HEADER + length
    return kinds


class Side:
    """The program in one of the two forms, and its honest peer: "listens" is a program that waits and is connected to
    again, "connects" is one that connects again."""

    def __init__(self, form):
        self.form, self.listener, self.losses = form, None, 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.peer.close()
        if self.listener:
            self.listener.close()
        self.run.__exit__()

    def fresh(self):
        """The next connection, whoever makes it."""
        if self.form == "listens":
            return s.connect(self.run.port, self.role)
        return self.listener.accept(self.role)


class Session(Side):
    """A zrecv with an honest sender up to WELCOME, who keeps what may have to come again."""
    role = s.SENDER

    def __init__(self, form, *options, key=None, **terms):
        super().__init__(form)
        self.key = key
        if form == "listens":
            self.run = zrecv(*options, key=key)
        else:
            self.listener = s.Listener()
            self.run = Run()
            security = ["--plain"] + (["--no-auth"] if key is None else [])
            self.run.start(ZRECV, *security, *options, f"zs://127.0.0.1:{self.listener.port}",
                           self.run.dst, key=key)
        self.peer = self.fresh()
        self.peer.meet(key, **terms)
        if form == "connects":  # it has WELCOME: from here on it joins
            assert self.peer.read(optional_too=True).kind == s.HEARTBEAT
        self.waiting = {}  # (entry, offset): content, attempt; of blocks without an ACK
        self.results, self.verdict, self.retold = {}, None, 0

    @property
    def id(self):
        return self.peer.session

    def send_block(self, entry_id, at, content):
        self.waiting[entry_id, at] = content, 0
        self.peer.send(s.block(entry_id, at, content))

    def note(self, frame):
        if frame.kind == s.ACK:
            content, _ = self.waiting.pop((frame.entry, frame.offset))
            if frame.body:
                assert s.message(s.ACK, frame.body, frame.entry, frame.offset) == s.ack(
                    frame.entry, frame.offset, content), frame
        elif frame.kind == s.RESULTS:
            for entry_id, one in s.read_results(frame.body).items():
                assert entry_id not in self.results, f"a second result of {entry_id}"
                self.results[entry_id] = one
        elif frame.kind == s.VERDICT:
            assert self.verdict is None, "a second verdict"
            self.verdict = s.read_verdict(frame.body)
        else:
            raise AssertionError(frame)

    def lose(self, how="end"):
        """The connection ends, and what it has not brought to the other side comes over the next one."""
        lost = self.peer
        if how == "end":
            lost.end_sending()
            for frame in lost.hear():
                self.note(frame)
            lost.close()
        elif how == "reset":
            lost.reset()
        self.losses += 1
        self.peer = self.fresh().again(lost)
        if how == "still open":  # the program has ended it
            lost.drain()
            lost.close()
        self.peer.replay()
        self.retold += self.peer.retold
        while self.peer.retold > 0:  # until then nobody knows what is to come again
            frame = self.peer.read()
            self.note(frame)
            self.peer.retold -= frame.kind == s.ACK
        for (entry_id, at), (content, attempt) in self.waiting.items():
            self.waiting[entry_id, at] = content, attempt + 1
            self.peer.send(s.block(entry_id, at, content, s.attempt(attempt + 1)))

    def collect(self):
        while self.waiting:
            self.note(self.peer.read())

    def conclude(self, sent):
        """From FIN on: all is well. What comes is what is still missing."""
        self.peer.say(s.fin_of(sent))
        self.up_to_bye(sent)

    def up_to_bye(self, sent):
        while self.verdict is None:
            self.note(self.peer.read())
        assert sorted(self.results) == [one.id for one in sent] and not self.waiting
        assert {one["status"] for one in self.results.values()} == {0}, self.results
        v = self.verdict
        assert (v["status"], v["entries"], v["bytes"], v["root"]) == (0, *s.totals_of(sent)), v
        self.peer.say(s.bye())

    def send_file(self, sent, first=None):
        """The rest of a session of one file: all of it, or its blocks from number `first` on."""
        if first is None:
            self.peer.say(sent.announce)
        for at, content in sent.cuts[first or 0:]:
            self.send_block(sent.id, at, content)
        self.collect()
        self.peer.say(sent.end)

    def finish(self, first=None):
        self.send_file(ONE, first)
        self.conclude([ONE])
        self.run.expect(0, files={"f": CONTENT})
        assert self.run.summary()["reconnects"] == self.losses, self.run.summary()


class Receiver(Side):
    """An honest receiver of a zsend in one of the two forms, with one file."""
    role = s.RECEIVER

    def __init__(self, form, content, *options):
        super().__init__(form)
        if form == "listens":
            self.run = Run()
            self.source = self.run.write("f", content)
            self.run.start(ZSEND, "--listen", "127.0.0.1:0", "--plain", "--no-auth", *options,
                           self.source).wait_listening()
        else:
            self.listener = s.Listener()
            self.run = zsend_to(self.listener, [("f", content)], *options)
            self.source = os.path.join(self.run.top, "files", "f")
        self.peer = self.fresh()
        self.peer.meet(block=s.MIB)

    def lose(self, how="reset", taken=None):
        """taken: what this side says it has taken; the truth when left out."""
        lost = self.peer
        if taken is not None:
            lost.taken = taken
        if how == "end":
            lost.end_sending()
            lost.drain()
        lost.reset() if how == "reset" else None
        self.losses += 1
        self.peer = self.fresh().again(lost)
        self.peer.replay()
        lost.close()

    def block(self):
        data = self.peer.expect(s.DATA)
        digest = self.peer.expect(s.DIGEST)
        assert digest.offset == data.offset and digest.body[4:] == s.xxh128(data.body), digest
        return data

    def conclude(self, pieces, end, lose=None):
        """From END on: these (offset, content) are kept."""
        info = s.read_end(end.body)
        total = s.digest_sum(s.block_part(at, len(c), s.xxh128(c)) for at, c in pieces)
        size = sum(len(c) for _, c in pieces)
        assert (end.offset, info["failure"], info["sum"]) == (size, 0, total), info
        self.peer.say(s.result(1))
        self.peer.expect(s.FIN)
        status = s.CHANGED if info["changed"] else 0
        self.peer.say(s.verdict(1, size, s.digest_sum([s.entry_part(1, size, total)]), status))
        if lose:
            lose()
        assert self.peer.expect(s.BYE).body == bytes([status])
        self.peer.end_sending()
        self.run.expect(status, files={})
        assert self.run.summary()["reconnects"] == self.losses
        return info


FOLDER = tempfile.mkdtemp(prefix="zx-certs.")
atexit.register(shutil.rmtree, FOLDER)
CERTIFICATE, PRIVATE = os.path.join(FOLDER, "cert.pem"), os.path.join(FOLDER, "key.pem")
LONG = os.urandom(4 * s.MIB)
AES128 = 1


def make_certificate():
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", PRIVATE, "-out", CERTIFICATE, "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    os.chmod(PRIVATE, 0o600)


class TlsSession:
    """A zsend that has connected under AES, and whose key is worn after 1 MiB."""

    def __init__(self, *options, content=LONG):
        self.listener = s.Listener()
        self.run = Run()
        source = self.run.write("f", content)
        self.run.start(ZSEND, f"--tls-cert={CERTIFICATE}", f"--tls-key={PRIVATE}", f"--tls-ca={CERTIFICATE}",
                       "--tls-cipher=aes128", "--ktls=off", "--rekey-after=1M", "--block-size=1M", *options,
                       source, f"zs://127.0.0.1:{self.listener.port}")
        self.peer = self.listener.accept(s.RECEIVER)
        self.peer.exchange_prefaces(s.preface(s.RECEIVER, mode=s.TLS_CERT, suites=AES128))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.num_tickets = 0
        context.load_cert_chain(CERTIFICATE, PRIVATE)
        context.load_verify_locations(CERTIFICATE)
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["zxfer/1"])
        self.peer.socket = context.wrap_socket(self.peer.socket, server_side=True)

    def __enter__(self):
        self.peer.agree(block=s.MIB)
        return self

    def __exit__(self, *unused):
        self.peer.close()
        self.listener.close()
        self.run.__exit__()
