"""The protocol once more, written from its formats alone: frames as bytes that a test can bend.

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

HELLO, WELCOME, JOIN, SWITCH, STREAMS = 0x8001, 0x8002, 0x8003, 0x8004, 0x8005
ENTRY, DATA, DIGEST, HOLE, END, FIN, BYE = 0x8010, 0x8011, 0x8012, 0x8013, 0x8014, 0x8018, 0x8019
ACK, RETRY, RESULT, VERDICT = 0x8020, 0x8021, 0x8022, 0x8023
ERROR, HEARTBEAT = 0x8030, 0x0031
RESENT = 1


def attempt(count):
    """The flags of a DATA for whose block so many streams were lost."""
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


VERSION = 2


def preface(role, mode=PLAIN, no_auth=False, suites=None, code=0, lowest=VERSION, highest=VERSION, flags=None,
            reserved=0, magic=MAGIC):
    if suites is None:
        suites = 0 if mode == PLAIN else 3
    if flags is None:
        flags = 1 if no_auth else 0
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
          flags=0, sources=0, path=(), rate_limit=0, streams=0, build=b"speaker 1"):
    return (b"".join(prefaces) + struct.pack(">QQ", required, optional) + session.ljust(16, b"\0") +
            struct.pack(">IBBBIQH", block, durability, overwrite, flags, sources, rate_limit, streams) +
            text_list(path) + text(build))


def join(prefaces, session, index):
    return message(JOIN, b"".join(prefaces) + session + struct.pack(">I", index))


def switch(body=b""):
    return message(SWITCH, body)


def entry(entry_id, name, size, mtime=1_600_000_000, nsec=5, mode=0o644, sparse=False, kind=1,
          flags=None):
    names = name if isinstance(name, (list, tuple)) else [name]
    names = [n.encode() if isinstance(n, str) else n for n in names]
    flags = (1 if sparse else 0) if flags is None else flags
    return message(ENTRY, bytes([kind, flags]) + text_list(names) +
                   struct.pack(">QQII", size, mtime, nsec, mode), entry_id)


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


def fin(entries, size, root, path=None):
    return message(FIN, struct.pack(">QQ", entries, size) + root + (path or path_report()) +
                   figures())


def bye(status=0):
    return message(BYE, bytes([status]))


def ack(entry_id, offset):
    return message(ACK, b"", entry_id, offset)


def retry(entry_id, offset, length):
    return message(RETRY, struct.pack(">I", length), entry_id, offset)


def result(entry_id, status=0, skipped=False, reason=b""):
    return message(RESULT, bytes([status, 1 if skipped else 0]) + text(reason), entry_id)


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
           "overwrite": r.number(1), "flags": r.number(1), "sources": r.number(4),
           "rate_limit": r.number(8), "streams": r.number(2)}
    out["path"] = [r.text() for _ in range(r.number(2))]
    out["build"] = r.text()
    r.done()
    return out


def read_entry(body):
    r = Reader(body)
    assert r.number(1) == 1
    flags = r.number(1)
    assert flags <= 2
    out = {"sparse": flags == 1, "open_ended": flags == 2, "name": [r.text() for _ in range(r.number(2))],
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


def read_totals(body, is_verdict):
    r = Reader(body)
    out = {}
    if is_verdict:
        out["status"], out["durable"] = r.number(1), r.number(1) == 1
    out.update(entries=r.number(8), bytes=r.number(8), root=r.take(16))
    if is_verdict:
        out["retransmitted"] = r.number(8)
    out.update(engine=r.text(), tls=r.text(), why=r.text(), tls_why=r.text())
    out["times"], out["looks"] = [r.number(8) for _ in range(5)], [r.number(4) for _ in range(2)]
    r.done()
    return out


def read_result(body):
    r = Reader(body)
    out = {"status": r.number(1), "skipped": r.number(1) == 1, "reason": r.text()}
    r.done()
    return out


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


class Peer:
    """One connection to the program under test. `prefaces` are connector's, listener's."""

    def __init__(self, connection, role, connector, limit=20):
        self.socket, self.role, self.connector = connection, role, connector
        self.socket.settimeout(limit)
        if connection.family != socket.AF_UNIX:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.prefaces = [b"", b""]
        self.theirs = None

    # bytes

    def send(self, *pieces):
        """A program that gave up meanwhile is no error here: what it said is still to be read."""
        try:
            self.socket.sendall(b"".join(pieces))
        except (BrokenPipeError, ConnectionResetError):
            pass

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
            if kind & 0x8000 or optional_too:
                return Frame(kind, flags, length, entry_id, offset, body)

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

    def exchange_prefaces(self, mine=None, no_auth=True):
        mine = mine or preface(self.role, no_auth=no_auth)
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

    def agree(self, **mine):
        """HELLO and WELCOME. The other side's terms are in self.theirs."""
        if self.connector:
            session = mine.pop("session", None) or os.urandom(16)
            self.send(message(HELLO, terms(self.prefaces, session=session, **mine)))
            self.theirs = read_terms(self.expect(WELCOME).body)
            assert self.theirs["session"] == session
            self.session = session
        else:
            self.theirs = read_terms(self.expect(HELLO).body)
            mine.setdefault("session", self.theirs["session"])
            self.session = mine["session"]
            self.send(message(WELCOME, terms(self.prefaces, **mine)))
        assert self.theirs["prefaces"] == self.prefaces
        return self.theirs

    def meet(self, key=None, **mine):
        """All up to the first ENTRY."""
        answer = self.exchange_prefaces(no_auth=key is None)
        assert answer[:8] == MAGIC and answer[14] == 0, f"refused with code {answer[14]}"
        if key is not None:
            assert self.authenticate(key), "the program has another key"
        return self.agree(**mine)


    # a connection that is replaced

    def end_by_switch(self):
        """SWITCH both ways and the end; returns what the program said before its own."""
        self.send(switch())
        self.end_sending()
        late = []
        while (frame := self.read()).kind != SWITCH:
            late.append(frame)
        assert frame.body == b"" and self.hear() == [], "something after SWITCH"
        self.close()
        return late

    def join(self, session, index, key=None):
        """The further connection, which this one is, up to JOIN both ways."""
        answer = self.exchange_prefaces(no_auth=key is None)
        assert answer[:8] == MAGIC and answer[14] == 0, f"refused with code {answer[14]}"
        if key is not None:
            assert self.authenticate(key), "the program has another key"
        mine = join(self.prefaces, session, index << 16)  # of the first stream
        if self.connector:
            self.send(mine)
        theirs = self.expect(JOIN)
        assert message(JOIN, theirs.body) == mine, "JOIN differs"
        if not self.connector:
            self.send(mine)
        return self

    def join_stream(self, first, index, session=None):
        """Makes this connection a further one of the session of `first`; both without a key."""
        self.exchange_prefaces()
        if self.connector:
            self.send(join(self.prefaces, session or first.session, index))
        body = self.expect(JOIN).body
        assert body[:64] == b"".join(self.prefaces) + first.session
        if not self.connector:
            index = int.from_bytes(body[64:], "big")
            self.send(join(self.prefaces, first.session, index))
        self.index = index
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
        cuts = [(at, content[at:at + block_size]) for at in range(0, len(content), block_size)]
        self.blocks = [block(entry_id, at, piece) for at, piece in cuts]
        self.sum = digest_sum(block_part(at, len(piece), xxh128(piece)) for at, piece in cuts)
        self.end = end(entry_id, self.size, self.sum, xxh128(content) if with_digest else None)
        self.part = entry_part(entry_id, self.size, self.sum)

    def frames(self):
        return [self.announce, *self.blocks, self.end]


def fin_of(sent):
    return fin(len(sent), sum(s.size for s in sent), digest_sum(s.part for s in sent))


def send_files(peer, files, **options):
    """Sends a list of (name, content) and returns the verdict."""
    sent = [Sent(i, name, content, **options) for i, (name, content) in enumerate(files, 1)]
    for one in sent:
        peer.send(*one.frames())
    waiting = {one.id for one in sent}
    while waiting:
        frame = peer.read()
        if frame.kind == ACK:
            continue
        assert frame.kind == RESULT and read_result(frame.body)["status"] == 0, frame
        waiting.remove(frame.entry)
    peer.send(fin_of(sent))
    out = read_totals(peer.expect(VERDICT).body, True)
    assert (out["entries"], out["bytes"]) == (len(sent), sum(s.size for s in sent))
    assert out["root"] == digest_sum(s.part for s in sent)
    peer.send(bye(out["status"]))
    return out


class Received:
    """What came for one entry."""

    def __init__(self, frame):
        self.id, self.info, self.content = frame.entry, read_entry(frame.body), bytearray()
        self.parts, self.end = {}, None

    def part(self):
        return entry_part(self.id, self.end.offset, digest_sum(self.parts.values()))


def receive_entry(peer, spoil=0, on_end=True):
    """One entry up to its END, which is answered with a good RESULT if on_end; None and the frame at
    FIN. The first `spoil` digests are called wrong, so that their blocks are asked for again."""
    frame = peer.read()
    if frame.kind == FIN:
        return None, frame
    assert frame.kind == ENTRY, frame
    got = Received(frame)
    wrong = set()
    while True:
        frame = peer.read()
        assert frame.entry == got.id or frame.kind == ERROR, frame
        if frame.kind == DATA:
            assert bool(frame.flags & RESENT) == (frame.offset in wrong)
            got.content[frame.offset:frame.offset + frame.length] = frame.body
            pending = frame
        elif frame.kind == HOLE:
            length = int.from_bytes(frame.body, "big")
            assert frame.offset == len(got.content)
            got.content += bytes(length)
        elif frame.kind == DIGEST:
            length, value = int.from_bytes(frame.body[:4], "big"), frame.body[4:]
            assert frame.offset == pending.offset and xxh128(pending.body[:length]) == value
            if spoil > 0:
                spoil -= 1
                wrong.add(frame.offset)
                peer.send(retry(got.id, frame.offset, length))
                continue
            wrong.discard(frame.offset)
            got.parts[frame.offset] = block_part(frame.offset, length, value)
        elif frame.kind == END:
            if wrong:
                continue  # another one follows the mended blocks
            got.end = frame
            info = read_end(frame.body)
            assert info["failure"] == 0 and info["sum"] == digest_sum(got.parts.values())
            assert not info["has_digest"] or info["digest"] == xxh128(bytes(got.content))
            if on_end:
                peer.send(result(got.id))
            return got, frame
        else:
            raise AssertionError(f"unexpected {frame}")


def receive_files(peer, spoil=0):
    """Receives everything, says the verdict, and returns [(name, content, info)]."""
    entries = []
    while True:
        got, frame = receive_entry(peer, spoil if not entries else 0)
        if got is None:
            break
        entries.append(got)
    totals = read_totals(frame.body, False)
    root = digest_sum(e.part() for e in entries)
    size = sum(e.end.offset for e in entries)
    assert (totals["entries"], totals["bytes"], totals["root"]) == (len(entries), size, root)
    peer.send(verdict(len(entries), size, root, retransmitted=spoil))
    assert peer.expect(BYE).body == b"\0"
    return [(e.info["name"], bytes(e.content), e.info) for e in entries]
