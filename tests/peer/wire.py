"""What is on the wire, written from zsend-protocol(7) alone: frames as bytes that a test can bend.

Nothing here is shared with the programs under test. Integers are big-endian. Encoders accept anything that
fits the field, also what no honest peer would send; decoders are of what the programs send, so they assert.
Tests have all of it by speaker.py.
"""
import ctypes
import hashlib
import hmac
import os
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
ACK, RETRY, RESULTS, VERDICT, WANTED, DELETED = 0x8020, 0x8021, 0x8022, 0x8023, 0x8024, 0x8025
ERROR, HEARTBEAT = 0x8030, 0x0031
# Kept until the other side has counted them, and said again over the connection that replaces a lost one.
COUNTED = {STREAMS, ENTRY, HOLE, END, FIN, BYE, RESULTS, VERDICT, WANTED, DELETED}
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


VERSION = 4


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
          flags=0, rate_limit=0, silence=15000, streams=0, path=(), build=b"speaker 1", wishes=0, rules=(),
          most_deleted=2**64 - 1):
    """rules: (1 for --include, pattern) each."""
    return (b"".join(prefaces) + struct.pack(">QQ", required, optional) + session.ljust(16, b"\0") +
            struct.pack(">IBBHBQIHQ", block, durability, overwrite, flags, wishes, rate_limit, silence, streams,
                        most_deleted) +
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


def end(entry_id, size, block_sum=bytes(16), file_digest=None, changed=False, failure=0, reason=b"", whole=False):
    flags = (1 if changed else 0) | (2 if file_digest is not None else 0) | (4 if whole else 0)
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


def wanted(*runs, count=None):
    """WANTED: (first, count, fresh) each."""
    return message(WANTED, struct.pack(">H", len(runs) if count is None else count) +
                   b"".join(struct.pack(">QIB", *one) for one in runs))


def deletion(deleted=0, failed=False, why=b""):
    return struct.pack(">BQ", 1 if failed else 0, deleted) + text(why)


def deleted(*paths):
    return message(DELETED, text_list(paths))


def verdict(entries, size, root, status=0, durable=True, retransmitted=0, path=None, gone=None):
    return message(VERDICT, struct.pack(">BBQQ", status, 1 if durable else 0, entries, size) + root +
                   struct.pack(">Q", retransmitted) + (gone or deletion()) + (path or path_report()) + figures())


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
           "silence": r.number(4), "streams": r.number(2), "most_deleted": r.number(8)}
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
    kind, flags = r.number(1), r.number(1)
    assert kind in (1, 2) and flags in (0, 1, 2, 4, 32)
    out = {"kind": kind, "asks": flags == 32, "sparse": flags == 1, "open_ended": flags == 2, "failed": flags == 4, "name": [r.text() for _ in range(r.number(2))],
           "size": r.number(8), "mtime": r.number(8), "nsec": r.number(4), "mode": r.number(4)}
    r.done()
    return out


def read_end(body):
    r = Reader(body)
    flags = r.number(1)
    out = {"changed": bool(flags & 1), "has_digest": bool(flags & 2), "whole": bool(flags & 4), "failure": r.number(1),
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
            "root": r.take(16), "retransmitted": r.number(8), "failed": r.number(1) == 1, "deleted": r.number(8),
            "why": r.text(), **_read_report(r)}


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


def read_wanted(body):
    """Ids that are wanted, and those of directories that are fresh."""
    r = Reader(body)
    ids, fresh = [], []
    for _ in range(r.number(2)):
        first, count, is_fresh = r.number(8), r.number(4), r.number(1)
        assert first > 0 and count > 0 and is_fresh < 2
        (fresh if is_fresh else ids).extend(range(first, first + count))
    r.done()
    assert ids or fresh
    return ids, fresh


def read_result(body):
    """Of RESULTS that are about one entry."""
    (one,) = read_results(body).values()
    return one


def read_error(body):
    r = Reader(body)
    out = {"status": r.number(1), "text": r.text()}
    r.done()
    return out
