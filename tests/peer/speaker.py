"""The protocol once more, written from zsend-protocol(7) alone: frames as bytes that a test can bend.

Nothing here is shared with the programs under test. Only --plain is spoken. Integers are big-endian.
Encoders accept anything that fits the field, also what no honest peer would send; the two drivers
(send_files, receive_files) are honest, and tests/peer/speaker_test.py keeps them so.
"""
import collections
import ctypes
import hashlib
import hmac
import os
import socket
import struct

MAGIC = b"\x89ZXFR\r\n\x1a"
PREFACE = 24
HEADER = 32
MIB = 1 << 20

TLS_PSK, TLS_CERT, PLAIN = 1, 2, 3
SENDER, RECEIVER = 1, 2
ROLE_NAME = {SENDER: "sender", RECEIVER: "receiver"}

HELLO, WELCOME, JOIN, STREAMS = 0x8001, 0x8002, 0x8003, 0x8005
ENTRY, DATA, DIGEST, HOLE, END, FIN, BYE = 0x8010, 0x8011, 0x8012, 0x8013, 0x8014, 0x8018, 0x8019
ACK, RETRY, RESULTS, VERDICT = 0x8020, 0x8021, 0x8022, 0x8023
ERROR, HEARTBEAT = 0x8030, 0x0031
# Kept until the other side has counted them, and said again over the connection that replaces a lost one.
COUNTED = {STREAMS, ENTRY, HOLE, END, FIN, BYE, RESULTS, VERDICT}
RESENT = 1
BUSY = 6
# Of HELLO and WELCOME.
TO_PIPE, SEVERAL = 16, 32


def attempt(count):
    """The flags of a DATA for whose block so many connections were lost."""
    return count << 8


OK, INTERNAL, USAGE, AUTH, PROTOCOL, NETWORK, FILE_IO, NO_SPACE = range(8)
INTEGRITY, REFUSED, TIMEOUT, COMMAND_FAILED, PARTIAL, CHANGED = 8, 9, 10, 11, 23, 24
STATUSES = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 23, 24)


# --- hashes

class _Hash128(ctypes.Structure):
    _fields_ = [("low", ctypes.c_uint64), ("high", ctypes.c_uint64)]


_xxh = ctypes.CDLL("libxxhash.so.0")
_xxh.XXH3_64bits.argtypes = _xxh.XXH3_128bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
_xxh.XXH3_64bits.restype = ctypes.c_uint64
_xxh.XXH3_128bits.restype = _Hash128


def xxh64(data):
    return struct.pack(">Q", _xxh.XXH3_64bits(data, len(data)))


def xxh128(data):
    h = _xxh.XXH3_128bits(data, len(data))
    return struct.pack(">QQ", h.high, h.low)


def digest_sum(parts):
    """The sum of digests modulo 2^128: the same in any order."""
    return (sum(int.from_bytes(p, "big") for p in parts) % (1 << 128)).to_bytes(16, "big")


def block_part(offset, length, digest):
    return xxh128(struct.pack(">QQ", offset, length) + digest)


def entry_part(entry, size, block_sum):
    return xxh128(struct.pack(">QQ", entry, size) + block_sum)


# --- keys and the challenge of plain mode

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


class Key:
    def __init__(self, raw=None):
        raw = raw or os.urandom(36)
        self.id, self.secret = raw[:4], raw[4:36]

    def text(self):
        raw = self.id + self.secret
        number = int.from_bytes(raw + hashlib.sha256(raw).digest()[:4], "big")
        return "zk1_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(315, -1, -5))

    @staticmethod
    def parse(text):
        assert text.startswith("zk1_") and len(text) == 68
        number = 0
        for character in text[4:]:
            number = number << 5 | _ALPHABET.index(character)
        raw = number.to_bytes(40, "big")
        assert hashlib.sha256(raw[:36]).digest()[:4] == raw[36:]
        return Key(raw[:36])

    def derive(self, purpose, connector_role):
        info = f"zxfer/1 {purpose} connector={ROLE_NAME[connector_role]}".encode()
        extracted = hmac.new(bytes(32), self.secret, hashlib.sha256).digest()
        return hmac.new(extracted, info + b"\x01", hashlib.sha256).digest()


CONNECTOR_LABEL, LISTENER_LABEL = b"zxfer/1 connector", b"zxfer/1 listener"


def challenge_mac(key, connector_role, label, prefaces, nonces):
    mac_key = key.derive("plain-auth", connector_role)
    return hmac.new(mac_key, text(label) + b"".join(prefaces) + b"".join(nonces),
                    hashlib.sha256).digest()


# --- encoders

def text(value):
    return struct.pack(">H", len(value)) + value


def text_list(values):
    return struct.pack(">H", len(values)) + b"".join(text(v) for v in values)


VERSION = 3


def preface(role, mode=PLAIN, no_auth=False, suites=None, code=0, lowest=VERSION, highest=VERSION, flags=None,
            join=False, reserved=0, magic=MAGIC):
    if suites is None:
        suites = 0 if mode == PLAIN else 3
    if flags is None:
        flags = (1 if no_auth else 0) | (2 if join else 0)
    return magic + bytes([lowest, highest, mode, role, flags, suites, code, reserved]) + os.urandom(8)


def header(kind, length, entry=0, offset=0, flags=0):
    head = struct.pack(">HHIQQ", kind, flags, length, entry, offset)
    return head + xxh64(head)


def seal(body):
    return body + xxh64(body)


def message(kind, body=b"", entry=0, offset=0, flags=0):
    payload = seal(body)
    return header(kind, len(payload), entry, offset, flags) + payload


def terms(prefaces, required=0, optional=0, session=b"", block=8 * MIB, durability=0, overwrite=0,
          flags=0, rate_limit=0, silence=15000, streams=0, path=(), build=b"speaker 1", wishes=0, rules=()):
    """rules: (1 for --include, pattern) each."""
    return (b"".join(prefaces) + struct.pack(">QQ", required, optional) + session.ljust(16, b"\0") +
            struct.pack(">IBBHBQIH", block, durability, overwrite, flags, wishes, rate_limit, silence, streams) +
            text_list(path) + text(build) + struct.pack(">H", len(rules)) +
            b"".join(bytes([include]) + text(pattern) for include, pattern in rules))


def join(prefaces, session, stream=0, generation=1, taken=0, acks=0):
    return message(JOIN, b"".join(prefaces) + session + struct.pack(">HIQQ", stream, generation, taken, acks))


def heartbeat(taken=0):
    return message(HEARTBEAT, struct.pack(">Q", taken))


def attributes(owner=(0, b"root"), group=(0, b"root"), acl=(), default_acl=(), xattrs=()):
    """What ENTRY has with flag bit 3. acl: (tag, permissions[, id, name]); xattrs: (name, value)."""
    def principal(who):
        return struct.pack(">I", who[0]) + text(who[1])

    def entries(acl_entries):
        return struct.pack(">H", len(acl_entries)) + b"".join(
            struct.pack(">HH", *one[:2]) + (principal(one[2:]) if len(one) > 2 else b"") for one in acl_entries)
    return (principal(owner) + principal(group) + entries(acl) + entries(default_acl) +
            struct.pack(">H", len(xattrs)) + b"".join(text(key) + text(value) for key, value in xattrs))


def entry(entry_id, name, size, mtime=1_600_000_000, nsec=5, mode=0o644, sparse=False, kind=1,
          flags=None, more=b""):
    names = name if isinstance(name, (list, tuple)) else [name]
    names = [n.encode() if isinstance(n, str) else n for n in names]
    flags = (1 if sparse else 0) if flags is None else flags
    return message(ENTRY, bytes([kind, flags]) + text_list(names) +
                   struct.pack(">QQII", size, mtime, nsec, mode) + more, entry_id)


def data(entry_id, offset, content, flags=0):
    return header(DATA, len(content), entry_id, offset, flags) + content


def digest(entry_id, offset, content=b"", value=None, length=None):
    return message(DIGEST, struct.pack(">I", len(content) if length is None else length) +
                   (xxh128(content) if value is None else value), entry_id, offset)


def block(entry_id, offset, content, flags=0):
    return data(entry_id, offset, content, flags) + digest(entry_id, offset, content)


def streams(count):
    return message(STREAMS, struct.pack(">H", count))


def hole(entry_id, offset, length):
    return message(HOLE, struct.pack(">Q", length), entry_id, offset)


def end(entry_id, size, block_sum=bytes(16), file_digest=None, changed=False, failure=0, reason=b""):
    flags = (1 if changed else 0) | (2 if file_digest is not None else 0)
    return message(END, bytes([flags, failure]) + block_sum + (file_digest or bytes(16)) +
                   text(reason), entry_id, size)


def path_report(engine=b"speaker", tls=b"none", why=b"", tls_why=b""):
    return text(engine) + text(tls) + text(why) + text(tls_why)


def figures():
    return bytes(5 * 8 + 2 * 4)


def fin(last_id, path=None):
    return message(FIN, struct.pack(">Q", last_id) + (path or path_report()) + figures())


def bye(status=0):
    return message(BYE, bytes([status]))


def ack(entry_id, offset, kept=None):
    """kept: the content of an earlier copy, which the receiver keeps."""
    body = b"" if kept is None else struct.pack(">I", len(kept)) + xxh128(kept)
    return message(ACK, body, entry_id, offset)


def retry(entry_id, offset, length):
    return message(RETRY, struct.pack(">I", length), entry_id, offset)


def run(first, count=1, status=0, skipped=False, reason=b"", flags=None):
    """What became of entries with ids in a row: a part of RESULTS."""
    flags = (1 if skipped else 0) if flags is None else flags
    return struct.pack(">QIBB", first, count, status, flags) + text(reason)


def results(*runs, count=None):
    return message(RESULTS, struct.pack(">H", len(runs) if count is None else count) + b"".join(runs))


def result(entry_id, status=0, skipped=False, reason=b""):
    """RESULTS for one entry."""
    return results(run(entry_id, 1, status, skipped, reason))


def verdict(entries, size, root, status=0, durable=True, retransmitted=0, path=None):
    return message(VERDICT, struct.pack(">BBQQ", status, 1 if durable else 0, entries, size) + root +
                   struct.pack(">Q", retransmitted) + (path or path_report()) + figures())


def error(status, words=b""):
    return message(ERROR, bytes([status]) + text(words))


# --- decoders: of what the programs send, so they assert

class Reader:
    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, count):
        assert self.at + count <= len(self.raw), "message ends early"
        self.at += count
        return self.raw[self.at - count:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def text(self):
        return self.take(self.number(2))

    def done(self):
        assert self.at == len(self.raw), "bytes too many"


def read_terms(body):
    r = Reader(body)
    out = {"prefaces": [r.take(24), r.take(24)], "required": r.number(8), "optional": r.number(8),
           "session": r.take(16), "block": r.number(4), "durability": r.number(1),
           "overwrite": r.number(1), "flags": r.number(2), "wishes": r.number(1), "rate_limit": r.number(8),
           "silence": r.number(4), "streams": r.number(2)}
    out["path"] = [r.text() for _ in range(r.number(2))]
    out["build"] = r.text()
    out["rules"] = [(r.number(1), r.text()) for _ in range(r.number(2))]
    r.done()
    return out


def read_join(body):
    r = Reader(body)
    out = {"prefaces": [r.take(24), r.take(24)], "session": r.take(16), "stream": r.number(2),
           "generation": r.number(4), "taken": r.number(8), "acks": r.number(8)}
    r.done()
    return out


def read_entry(body):
    r = Reader(body)
    assert r.number(1) == 1
    flags = r.number(1)
    assert flags in (0, 1, 2, 4)
    out = {"sparse": flags == 1, "open_ended": flags == 2, "failed": flags == 4, "name": [r.text() for _ in range(r.number(2))],
           "size": r.number(8), "mtime": r.number(8), "nsec": r.number(4), "mode": r.number(4)}
    r.done()
    return out


def read_end(body):
    r = Reader(body)
    flags = r.number(1)
    out = {"changed": bool(flags & 1), "has_digest": bool(flags & 2), "failure": r.number(1),
           "sum": r.take(16), "digest": r.take(16), "reason": r.text()}
    r.done()
    return out


def _read_report(r):
    out = {"engine": r.text(), "tls": r.text(), "why": r.text(), "tls_why": r.text()}
    out["times"], out["looks"] = [r.number(8) for _ in range(5)], [r.number(4) for _ in range(2)]
    r.done()
    return out


def read_fin(body):
    r = Reader(body)
    return {"entries": r.number(8), **_read_report(r)}


def read_verdict(body):
    r = Reader(body)
    status, flags = r.number(1), r.number(1)
    assert flags <= 1
    return {"status": status, "durable": flags == 1, "entries": r.number(8), "bytes": r.number(8),
            "root": r.take(16), "retransmitted": r.number(8), **_read_report(r)}


def read_results(body):
    """One for each entry: id -> what became of it."""
    r = Reader(body)
    out = {}
    count = r.number(2)
    assert count > 0
    for _ in range(count):
        first, ids, status, flags = r.number(8), r.number(4), r.number(1), r.number(1)
        assert first > 0 and ids > 0 and flags < 128
        one = {"status": status, "skipped": flags & 1 == 1, "reason": r.text(), "caveats": flags & ~1}
        for entry_id in range(first, first + ids):
            assert entry_id not in out
            out[entry_id] = one
    r.done()
    return out


def read_result(body):
    """Of RESULTS that are about one entry."""
    (one,) = read_results(body).values()
    return one


def read_error(body):
    r = Reader(body)
    out = {"status": r.number(1), "text": r.text()}
    r.done()
    return out


# --- a connection

Frame = collections.namedtuple("Frame", "kind flags length entry offset body")


class Closed(Exception):
    """The program ended the connection."""


class Told(Exception):
    """The program sent an ERROR where an answer was expected; the frame is the argument."""


def frames_of(raw):
    """Whole frames, one by one."""
    at = 0
    while at < len(raw):
        step = HEADER + int.from_bytes(raw[at + 4:at + 8], "big")
        yield raw[at:at + step]
        at += step


class Peer:
    """One connection to the program under test. `prefaces` are connector's, listener's. What is counted belongs
    to a session and goes from one connection to the next (again())."""

    def __init__(self, connection, role, connector, limit=20):
        self.socket, self.role, self.connector = connection, role, connector
        self.socket.settimeout(limit)
        if connection.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prefaces = [b"", b""]
        self.theirs, self.session, self.key, self.stream, self.generation = None, None, None, 0, 0
        # counting: this side tells the other what it has taken.
        self.first, self.counting = False, True
        self.taken = self.told = self.they_took = 0
        self.said = []  # counted frames
        # On first connections; retold: ACKs that come again on this one before anything else may be sent.
        self.acks_taken, self.acks_said, self.retold = 0, [], 0

    # bytes

    def send(self, *pieces):
        """A program that gave up meanwhile is no error here: what it said is still to be read."""
        if self.first and self.role == RECEIVER:
            self.acks_said += [f for piece in pieces for f in frames_of(piece) if int.from_bytes(f[:2], "big") == ACK]
        try:
            self.socket.sendall(b"".join(pieces))
        except (BrokenPipeError, ConnectionResetError):
            pass

    def say(self, *frames):
        """Whole frames; those that are counted can be said again."""
        for piece in frames:
            self.said += [f for f in frames_of(piece) if int.from_bytes(f[:2], "big") in COUNTED]
        self.send(*frames)

    def receive(self, count):
        out = bytearray()
        while len(out) < count:
            try:
                piece = self.socket.recv(min(count - len(out), MIB))
            except ConnectionResetError:
                piece = b""
            if not piece:
                raise Closed(f"after {len(out)} of {count} bytes")
            out += piece
        return bytes(out)

    def end_sending(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def drain(self):
        """Everything up to the end, as bytes."""
        out = bytearray()
        while True:
            try:
                piece = self.socket.recv(MIB)
            except ConnectionResetError:
                piece = b""
            if not piece:
                return bytes(out)
            out += piece

    # frames

    def read(self, optional_too=False):
        while True:
            raw = self.receive(HEADER)
            assert xxh64(raw[:24]) == raw[24:], "header check"
            kind, flags, length, entry_id, offset = struct.unpack(">HHIQQ", raw[:24])
            body = self.receive(length)
            if kind != DATA:
                assert len(body) >= 8 and xxh64(body[:-8]) == body[-8:], "seal"
                body = body[:-8]
            if kind == HEARTBEAT:
                count = int.from_bytes(body, "big")
                assert len(body) == 8 and count >= self.they_took, "a count that goes back"
                assert self.first or count == 0, "a count on a further connection"
                self.they_took = count
            self.acks_taken += self.first and kind == ACK
            if self.first and kind in COUNTED:
                self.taken += 1
                if self.counting and self.taken - self.told >= 64:
                    self.beat()
            if kind & 0x8000 or optional_too:
                return Frame(kind, flags, length, entry_id, offset, body)

    def beat(self):
        """A sign of life, with the count of what was taken."""
        self.told = self.taken
        self.send(heartbeat(self.taken if self.first else 0))

    def expect(self, kind):
        frame = self.read()
        if frame.kind == ERROR:
            raise Told(frame)
        assert frame.kind == kind, f"frame {frame.kind:#x} instead of {kind:#x}"
        return frame

    def hear(self):
        """All frames up to the end of the connection."""
        frames = []
        try:
            while True:
                frames.append(self.read())
        except Closed:
            return frames

    # handshake

    def exchange_prefaces(self, mine=None, no_auth=True, join=False):
        mine = mine or preface(self.role, no_auth=no_auth, join=join)
        self.prefaces[0 if self.connector else 1] = mine
        if self.connector:
            self.send(mine)
            self.prefaces[1] = self.receive(PREFACE)
        else:
            self.prefaces[0] = self.receive(PREFACE)
            self.send(mine)
        return self.prefaces[1 if self.connector else 0]

    def authenticate(self, key):
        """The challenge; the other side's answer is checked last, so that both sides fail alike."""
        connector_role = self.role if self.connector else 3 - self.role
        mine = os.urandom(32)
        if self.connector:
            self.send(mine)
            theirs, mac = self.receive(32), self.receive(32)
            nonces = [mine, theirs]
            self.send(challenge_mac(key, connector_role, CONNECTOR_LABEL, self.prefaces, nonces))
            label = LISTENER_LABEL
        else:
            theirs = self.receive(32)
            nonces = [theirs, mine]
            self.send(mine, challenge_mac(key, connector_role, LISTENER_LABEL, self.prefaces, nonces))
            mac = self.receive(32)
            label = CONNECTOR_LABEL
        return mac == challenge_mac(key, connector_role, label, self.prefaces, nonces)

    def prove(self, key=None, join=False):
        """Preface and challenge."""
        answer = self.exchange_prefaces(no_auth=key is None, join=join)
        assert answer[:8] == MAGIC and answer[14] == 0, f"refused with code {answer[14]}"
        assert answer[12] & 2 == (2 if join else 0), "the join flag"
        if key is not None:
            assert self.authenticate(key), "the program has another key"
        self.key = key
        return self

    def agree(self, **mine):
        """HELLO and WELCOME. The other side's terms are in self.theirs."""
        if self.connector:
            session = mine.pop("session", None) or os.urandom(16)
            self.send(message(HELLO, terms(self.prefaces, session=session, **mine)))
            self.theirs = read_terms(self.expect(WELCOME).body)
            assert self.theirs["session"] == session
            self.session = session
            self.send(heartbeat())  # the listener waits for the word that WELCOME has come
        else:
            self.theirs = read_terms(self.expect(HELLO).body)
            mine.setdefault("session", self.theirs["session"])
            self.session = mine["session"]
            self.send(message(WELCOME, terms(self.prefaces, **mine)))
        assert self.theirs["prefaces"] == self.prefaces
        self.first = True
        return self.theirs

    def meet(self, key=None, **mine):
        """All up to the first ENTRY."""
        return self.prove(key).agree(**mine)

    # a connection that joins a session

    def exchange_joins(self, session, stream=None, generation=None, taken=0, acks=0):
        """JOIN both ways; returns the program's. A listener answers with what it was asked."""
        if self.connector:
            self.send(join(self.prefaces, session, stream, generation, taken, acks))
        theirs = read_join(self.expect(JOIN).body)
        assert theirs["prefaces"] == self.prefaces and theirs["session"] == session, theirs
        if self.connector:
            assert (theirs["stream"], theirs["generation"]) == (stream, generation), theirs
        else:
            assert stream in (None, theirs["stream"]), theirs
            self.send(join(self.prefaces, session, theirs["stream"], theirs["generation"], taken,
                           acks))
        self.session, self.stream, self.generation = session, theirs["stream"], theirs["generation"]
        return theirs

    def join_stream(self, first, stream=None, generation=1, session=None):
        """Makes this connection a further one of the session of `first`."""
        self.prove(first.key, join=True)
        theirs = self.exchange_joins(session or first.session, stream, generation)
        assert theirs["stream"] > 0 and theirs["taken"] == theirs["acks"] == 0, theirs
        return self

    def again(self, lost, generation=None, tell=True):
        """Makes this connection the first one of the session, in place of one that is lost. What the program has
        not counted is not said again by this: see replay(). ACKs that it has not heard are, if this is to `tell`."""
        self.prove(lost.key, join=True)
        # What was taken before the loss stays taken, also if this one is lost again.
        self.taken = self.told = lost.taken
        self.said, self.counting = lost.said, lost.counting
        self.acks_said, self.acks_taken = lost.acks_said, lost.acks_taken
        acks = len(self.acks_said) if self.role == RECEIVER else self.acks_taken
        theirs = self.exchange_joins(lost.session, 0, generation or lost.generation + 1, self.taken, acks)
        assert lost.they_took <= theirs["taken"] <= max(len(self.said), lost.they_took), theirs
        assert theirs["generation"] > lost.generation, theirs
        self.they_took = theirs["taken"]
        if self.role == RECEIVER:
            assert theirs["acks"] <= acks, theirs
            self.retold = acks - theirs["acks"]
            if tell:
                self.send(*self.acks_said[theirs["acks"]:])
        else:
            assert theirs["acks"] >= acks, theirs
            self.retold = theirs["acks"] - acks
        self.first = True
        return self

    def replay(self):
        """Says again what the program has not counted. Only for what was said with say()."""
        self.send(*self.said[self.they_took:])
        return self


def connect(port, role, **options):
    return Peer(socket.create_connection(("127.0.0.1", port), 10), role, True, **options)


class Listener:
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.settimeout(20)
        self.port = self.socket.getsockname()[1]

    def accept(self, role, **options):
        connection, _ = self.socket.accept()
        return Peer(connection, role, False, **options)

    def close(self):
        self.socket.close()


# --- honest drivers

class Sent:
    """The frames of one file, and what it adds to the totals."""

    def __init__(self, entry_id, name, content, block_size=MIB, with_digest=False, **info):
        self.id, self.size = entry_id, len(content)
        self.announce = entry(entry_id, name, len(content), **info)
        self.cuts = [(at, content[at:at + block_size]) for at in range(0, len(content), block_size)]
        self.blocks = [block(entry_id, at, piece) for at, piece in self.cuts]
        self.sum = digest_sum(block_part(at, len(piece), xxh128(piece)) for at, piece in self.cuts)
        self.end = end(entry_id, self.size, self.sum, xxh128(content) if with_digest else None)
        self.part = entry_part(entry_id, self.size, self.sum)

    def frames(self):
        """In one go. An honest sender of several blocks waits for their ACKs before END."""
        return [self.announce, *self.blocks, self.end]


def fin_of(sent):
    return fin(max((one.id for one in sent), default=0))


def totals_of(sent):
    """Entries, bytes, root: what the verdict has when all of them are good."""
    return len(sent), sum(one.size for one in sent), digest_sum(one.part for one in sent)


def collect_acks(peer, entry_id, offsets):
    """Reads on until these blocks are acknowledged. Returns the other frames that came."""
    missing, others = set(offsets), []
    while missing:
        frame = peer.read()
        if frame.kind == ERROR:
            raise Told(frame)
        if frame.kind == ACK and frame.entry == entry_id and frame.offset in missing:
            assert frame.body == b"", "an earlier copy, but there is none"
            missing.remove(frame.offset)
        else:
            others.append(frame)
    return others


def up_to_verdict(peer, sent, results=None):
    """From FIN on, or before: reads on up to the VERDICT. Every entry has got exactly one result by then, a good
    one. ACKs are passed over."""
    out = dict(results or {})
    while True:
        frame = peer.read()
        if frame.kind == ERROR:
            raise Told(frame)
        if frame.kind == VERDICT:
            break
        if frame.kind == RESULTS:
            for entry_id, one in read_results(frame.body).items():
                assert entry_id not in out, f"a second result of {entry_id}"
                out[entry_id] = one
        else:
            assert frame.kind == ACK, frame
    assert sorted(out) == sorted(one.id for one in sent), out
    verdict_ = read_verdict(frame.body)
    if all(one["status"] == 0 and not one["skipped"] for one in out.values()):
        entries, size, root = totals_of(sent)
        assert (verdict_["entries"], verdict_["bytes"], verdict_["root"]) == (entries, size, root), verdict_
    return verdict_


def send_files(peer, files, **options):
    """Sends a list of (name, content) and returns the verdict."""
    sent = [Sent(i, name, content, **options) for i, (name, content) in enumerate(files, 1)]
    results_ = {}
    for one in sent:
        peer.say(one.announce, *one.blocks)
        if len(one.blocks) > 1:
            for frame in collect_acks(peer, one.id, [at for at, _ in one.cuts]):
                if frame.kind == RESULTS:
                    results_.update(read_results(frame.body))
        peer.say(one.end)
    peer.say(fin_of(sent))
    out = up_to_verdict(peer, sent, results_)
    peer.say(bye(out["status"]))
    return out


class Received:
    """What has come of one entry."""

    def __init__(self, frame):
        self.id, self.info, self.content = frame.entry, read_entry(frame.body), bytearray()
        self.parts, self.wrong, self.end, self.pending = {}, set(), None, None

    def complete(self):
        return self.end is not None and not self.wrong and self.pending is None

    def part(self):
        return entry_part(self.id, self.end.offset, digest_sum(self.parts.values()))

    def take(self, peer, frame, spoil):
        """One frame. True when a digest was called wrong, so that the block is asked for again."""
        if frame.kind == DATA:
            assert self.pending is None and bool(frame.flags & RESENT) == (frame.offset in self.wrong), frame.flags
            self.content[frame.offset:frame.offset + frame.length] = frame.body
            self.pending = frame
        elif frame.kind == HOLE:
            length = int.from_bytes(frame.body, "big")
            assert frame.offset == len(self.content)
            self.content += bytes(length)
        elif frame.kind == DIGEST:
            data_, self.pending = self.pending, None
            length, value = int.from_bytes(frame.body[:4], "big"), frame.body[4:]
            assert frame.offset == data_.offset and xxh128(data_.body[:length]) == value
            if spoil:
                self.wrong.add(frame.offset)
                peer.send(retry(self.id, frame.offset, length))
                return True
            self.wrong.discard(frame.offset)
            self.parts[frame.offset] = block_part(frame.offset, length, value)
            peer.send(ack(self.id, frame.offset))
        else:
            assert frame.kind == END and self.end is None, frame
            self.end = frame
        return False

    def check(self):
        info = read_end(self.end.body)
        assert info["failure"] == 0 and info["sum"] == digest_sum(self.parts.values()), info
        assert self.end.offset == len(self.content) or info["changed"], info
        assert not info["has_digest"] or info["digest"] == xxh128(bytes(self.content))


def receive_entries(peer, spoil=0, on_end=True, first=None):
    """All entries up to FIN, each acknowledged by blocks, and answered with a good result if on_end, when it is
    complete. The first `spoil` digests are called wrong. Returns them and FIN. `first`: frames read already."""
    entries, waiting = {}, collections.deque(first or [])
    while True:
        frame = waiting.popleft() if waiting else peer.read()
        if frame.kind == FIN:
            assert all(e.complete() for e in entries.values()), "FIN before the end of an entry"
            assert read_fin(frame.body)["entries"] == len(entries)
            return [entries[i] for i in sorted(entries)], frame
        if frame.kind == ENTRY:
            assert frame.entry == len(entries) + 1, frame
            entries[frame.entry] = Received(frame)
            continue
        if frame.kind == ERROR:
            raise Told(frame)
        got = entries[frame.entry]
        if got.take(peer, frame, spoil > 0):
            spoil -= 1
        if got.complete():
            got.check()
            if on_end:
                peer.say(result(got.id))


def receive_entry(peer, spoil=0, on_end=True):
    """The only entry of a session, up to its END and the last mended block."""
    frame = peer.expect(ENTRY)
    got = Received(frame)
    while not got.complete():
        frame = peer.read()
        if frame.kind == ERROR:
            raise Told(frame)
        assert frame.entry == got.id, frame
        if got.take(peer, frame, spoil > 0):
            spoil -= 1
    got.check()
    if on_end:
        peer.say(result(got.id))
    return got


def totals_received(entries):
    return len(entries), sum(e.end.offset for e in entries), digest_sum(e.part() for e in entries)


def receive_files(peer, spoil=0):
    """Receives everything, says the verdict, and returns [(name, content, info)]."""
    entries, _ = receive_entries(peer, spoil)
    peer.say(verdict(*totals_received(entries), retransmitted=spoil))
    assert peer.expect(BYE).body == b"\0"
    peer.end_sending()
    return [(e.info["name"], bytes(e.content), e.info) for e in entries]
