"""Frames that break the format or come when they must not: the receiver ends with the right status
and keeps nothing. Cases N20, N21 and N24 to N28 of a hostile sender."""
import os
import signal
import struct
import time

import speaker as s
from harness import cases, hostile_sender, main, test, within, zrecv

CONTENT = bytes(range(256)) * 8
SIZE = len(CONTENT)
GOOD = s.Sent(1, b"f", CONTENT)
TWO = s.Sent(2, b"g", b"second")
P = s.PROTOCOL
LIMIT = (1 << 63) - 1
MOST = (1 << 64) - 1


def root(*sent):
    return s.digest_sum(one.part for one in sent)


def broken_check(frame):
    return frame[:24] + bytes([frame[24] ^ 1]) + frame[25:]


def broken_seal(frame):
    return frame[:-1] + bytes([frame[-1] ^ 1])


def body_of(frame):
    return frame[s.HEADER:-8]


START = s.entry(1, b"f", SIZE)
FORMAT = [
    ("random bytes", os.urandom(65536).replace(b"\x89", b"x"), "check"),
    ("header check", broken_check(START), "check: mismatch"),
    ("seal", broken_seal(START), "check: mismatch"),
    ("length 2^32-1", s.header(s.ENTRY, 0xffffffff, 1), "over the limit of 131072"),
    ("length one over", s.header(s.ENTRY, 131073, 1), "over the limit of 131072"),
    ("length 0", s.header(s.ENTRY, 0, 1), "without its check"),
    ("length 7", s.header(s.ENTRY, 7, 1) + bytes(7), "without its check"),
    ("seal of nothing", s.message(s.ENTRY, b"", 1), "message ends early"),
    ("unknown type length 2^32-1", s.header(0x0123, 0xffffffff), "over the limit of 131072"),
    ("DATA of 2^32-1", START + s.header(s.DATA, 0xffffffff, 1), "over the limit of 16777216"),
    ("DATA one over", START + s.header(s.DATA, (16 << 20) + 1, 1), "over the limit of 16777216"),
    ("kind", s.entry(1, b"f", SIZE, kind=2), "kind: unknown"),
    ("entry flags", s.entry(1, b"f", SIZE, flags=4), "flags: unknown bit"),
    ("mode", s.entry(1, b"f", SIZE, mode=0o10000), "mode"),
    ("nanoseconds", s.entry(1, b"f", SIZE, nsec=1_000_000_000), "mtime nanoseconds"),
    ("size 2^63", s.entry(1, b"f", 1 << 63), "size: over the limit"),
    ("size 2^64-1", s.entry(1, b"f", MOST), "size: over the limit"),
    ("byte too many", s.message(s.ENTRY, body_of(START) + b"x", 1), "1 bytes too many"),
    ("byte too few", s.message(s.ENTRY, body_of(START)[:-1], 1), "message ends early"),
    ("name length past the end", s.message(s.ENTRY, b"\1\0\0\1\xff\xff", 1), "peer sent a bad ENTRY"),
    ("END flags", START + s.message(s.END, b"\4" + bytes(35), 1), "flags: unknown bit"),
    ("END status", START + s.end(1, SIZE, failure=99), "status: unknown"),
    ("FIN entries", s.fin(1 << 33, 0, bytes(16)), "entries: over the limit"),
    ("ERROR of status 0", s.error(0), "status: an error that is none"),
    ("ERROR of unknown status", s.error(77), "status: unknown"),
    ("ERROR text too long", s.error(4, b"x" * 1025), "over 1024 bytes"),
    ("engine name too long", s.fin(0, 0, bytes(16), s.path_report(b"e" * 49)), "over 48 bytes"),
]


@cases(FORMAT)
def malformed(sent, words):
    soon = within(20)
    hostile_sender(lambda p: p.send(sent), P, words, terms={"sources": 1})
    soon()


HELLOS = [
    ("random bytes", lambda t: os.urandom(65536), P, "check"),
    ("text", lambda t: b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", P, "check"),
    ("ENTRY", lambda t: START, P, "instead of HELLO"),
    ("WELCOME", lambda t: s.message(s.WELCOME, t), P, "instead of HELLO"),
    ("DATA", lambda t: s.data(1, 0, b"x"), P, "instead of HELLO"),
    ("unknown must-understand", lambda t: s.message(0x8fff), P, "unknown type 36863"),
    ("byte too many", lambda t: s.message(s.HELLO, t + b"x"), P, "1 bytes too many"),
    ("byte too few", lambda t: s.message(s.HELLO, t[:-1]), P, "message ends early"),
    ("length 2^32-1", lambda t: s.header(s.HELLO, 0xffffffff), P, "over the limit"),
]


@cases(HELLOS)
def hello(make, status, words):
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces()
        peer.send(make(s.terms(peer.prefaces, sources=1)))
        peer.hear() if make(b"")[:2] == b"\x80\x01" else peer.drain()
        peer.close()
        run.expect(status, words, files={})


TERMS = [
    ("block limit 0", {"block": 0}, P, "block limit"),
    ("block limit 1 MiB - 1", {"block": s.MIB - 1}, P, "block limit"),
    ("block limit 16 MiB + 1", {"block": 16 * s.MIB + 1}, P, "block limit"),
    ("block limit 2^32-1", {"block": 0xffffffff}, P, "block limit"),
    ("durability", {"durability": 4}, P, "durability: unknown"),
    ("overwrite", {"overwrite": 5}, P, "overwrite: unknown"),
    ("flags", {"flags": 32}, P, "flags: unknown bit"),
    ("rate limit", {"rate_limit": 1023}, P, "rate limit: below 1 KiB/s"),
    ("required feature", {"required": 1 << 40}, P, "requires features"),
    ("build too long", {"build": b"b" * 65}, P, "over 64 bytes"),
]


@cases(TERMS)
def hello_terms(terms, status, words):
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces()
        peer.send(s.message(s.HELLO, s.terms(peer.prefaces, sources=1, **terms)))
        frames = peer.hear()
        peer.close()
        run.expect(status, words, files={})
        assert s.read_error(frames[-1].body)["status"] == status


@test
def hello_with_unknown_optional_features_is_taken():
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1, optional=MOST)
        s.send_files(peer, [("f", CONTENT)])
        peer.close()
        run.expect(0, files={"f": CONTENT})


@cases([("connector's", 0), ("listener's", 1)])
def hello_with_another_preface(which):
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces()
        peer.prefaces[which] = peer.prefaces[which][:-1] + bytes([peer.prefaces[which][-1] ^ 1])
        peer.send(s.message(s.HELLO, s.terms(peer.prefaces, sources=1)))
        peer.hear()
        peer.close()
        run.expect(s.AUTH, "the preface was changed on its way", files={})


# --- types this version does not know

@cases([("must-understand", 0x8fff, P, "unknown type 36863"),
        ("must-understand next to ours", 0x8015, P, "unknown type"),
        ("type 0x8000", 0x8000, P, "unknown type")])
def unknown_type(kind, status, words):
    hostile_sender(lambda p: p.send(START, s.message(kind, b"payload", 1)), status, words)


@test
def unknown_optional_types_are_skipped():
    def any_time():
        return s.message(0x0777, os.urandom(1000), 5, 6, 7) + s.message(s.HEARTBEAT)
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1)
        peer.send(any_time(), s.message(0x7fff), s.message(0, os.urandom(131064)))
        peer.send(GOOD.announce, any_time(), s.data(1, 0, CONTENT), any_time(),
                  s.digest(1, 0, CONTENT), any_time(), GOOD.end, any_time(), s.fin_of([GOOD]),
                  any_time(), s.bye())
        peer.hear()
        peer.close()
        run.expect(0, files={"f": CONTENT})


@test
def unknown_optional_type_without_its_check():
    hostile_sender(lambda p: p.send(s.header(0x0777, 16) + bytes(16)), P, "check: mismatch")


# --- known frames in the wrong state

DATA0 = s.data(1, 0, CONTENT)
STATE = [
    ("DATA before ENTRY", [DATA0], "entry that is not open"),
    ("DIGEST before ENTRY", [s.digest(1, 0, CONTENT)], "entry that is not open"),
    ("HOLE before ENTRY", [s.hole(1, 0, 1)], "entry that is not open"),
    ("END before ENTRY", [GOOD.end], "entry that is not open"),
    ("BYE before FIN", [s.bye()], "peer sent BYE"),
    ("FIN with an open entry", [START, s.fin_of([])], "before every entry had its result"),
    ("FIN before END", [START, GOOD.blocks[0], s.fin_of([GOOD])], "before every entry had its result"),
    ("DATA before the DIGEST", [START, s.data(1, 0, CONTENT[:9]), s.data(1, 9, CONTENT[9:])],
     "before the DIGEST"),
    ("HOLE before the DIGEST", [START, s.data(1, 0, CONTENT[:9]), s.hole(1, 9, SIZE - 9)],
     "before the DIGEST"),
    ("END before the DIGEST", [START, DATA0, GOOD.end], "before the DIGEST"),
    ("DIGEST without DATA", [START, s.digest(1, 0, CONTENT)], "a DIGEST without its DATA"),
    ("DIGEST twice", [START, *GOOD.blocks, s.digest(1, 0, CONTENT)], "a DIGEST without its DATA"),
    ("DIGEST of another offset", [START, DATA0, s.digest(1, 1, CONTENT)], "a DIGEST without its DATA"),
    ("DIGEST longer than its DATA", [START, DATA0, s.digest(1, 0, CONTENT, length=SIZE + 1)],
     "longer than its DATA"),
    ("ENTRY in an open entry", [START, TWO.announce], "before the END"),
    ("DATA after END", [*GOOD.frames(), DATA0], "entry that is not open"),
    ("END twice", [*GOOD.frames(), GOOD.end], "entry that is not open"),
    ("HELLO again", [START, s.message(s.HELLO, s.terms([bytes(24)] * 2))], "peer sent HELLO"),
    ("WELCOME", [s.message(s.WELCOME, s.terms([bytes(24)] * 2))], "peer sent WELCOME"),
    ("ACK", [START, s.ack(1, 0)], "peer sent ACK"),
    ("RETRY", [START, s.retry(1, 0, SIZE)], "peer sent RETRY"),
    ("RESULT", [START, s.result(1)], "peer sent RESULT"),
    ("VERDICT", [s.verdict(0, 0, bytes(16))], "peer sent VERDICT"),
    ("resent block that nobody asked for", [START, s.data(1, 0, CONTENT, flags=s.RESENT)],
     "not asked for"),
    ("resent block after it was good", [START, *GOOD.blocks, s.data(1, 0, CONTENT, flags=s.RESENT)],
     "not asked for"),
    ("unknown DATA flag", [START, s.data(1, 0, CONTENT, flags=2)], "unknown flags"),
]


@cases(STATE)
def wrong_state(frames, words):
    hostile_sender(lambda p: p.send(*frames), P, words, terms={"sources": 2})


@cases([("FIN twice", s.fin_of([GOOD])), ("ENTRY after FIN", TWO.announce),
        ("DATA after FIN", DATA0), ("unknown type after FIN", s.message(0x8abc))])
def after_fin(frame):
    """All is committed by then, and both sides must still call it a failure."""
    hostile_sender(lambda p: p.send(*GOOD.frames(), s.fin_of([GOOD]), frame), P, "peer sent",
                   files={"f": CONTENT}, told=False)


@test
def bye_with_another_status():
    """The peer's contradiction is the peer's fault, not an internal error of this side."""
    hostile_sender(lambda p: p.send(*GOOD.frames(), s.fin_of([GOOD]), s.bye(s.FILE_IO)), P,
                   "another status", files={"f": CONTENT}, told=False)


# --- ranges

BIG = s.entry(1, b"f", 4 * s.MIB)
RANGE = [
    ("offset 2^64-1", [START, s.data(1, MOST, b"xx")], "past the announced size"),
    ("offset 2^64-1, one byte", [START, s.data(1, MOST, b"x")], "past the announced size"),
    ("offset 2^63", [START, s.data(1, 1 << 63, b"x")], "past the announced size"),
    ("offset 2^63-1", [START, s.data(1, LIMIT, b"x")], "past the announced size"),
    ("no bytes", [START, s.data(1, 0, b"")], "DATA without data"),
    ("overlap", [START, s.block(1, 0, b"x" * 100), s.data(1, 50, b"y" * 100)], "out of order"),
    ("the same again", [START, s.block(1, 0, b"x" * 100), s.data(1, 0, b"y" * 100)], "out of order"),
    ("gap", [START, s.data(1, 1, b"x")], "out of order"),
    ("past the size", [START, s.data(1, 0, CONTENT + b"x")], "past the announced size"),
    ("at the size", [START, *GOOD.blocks, s.data(1, SIZE, b"x")], "past the announced size"),
    ("content of an empty file", [s.entry(1, b"f", 0), s.data(1, 0, b"x")], "past the announced size"),
    ("more than a block", [BIG, s.data(1, 0, bytes(s.MIB + 1))], "longer than a block"),
    ("hole of nothing", [START, s.hole(1, 0, 0)], "HOLE out of order"),
    ("hole with a gap", [START, s.hole(1, 1, 5)], "HOLE out of order"),
    ("hole past the size", [START, s.hole(1, 0, SIZE + 1)], "HOLE past the announced size"),
    ("hole of 2^63-1", [START, s.hole(1, 0, LIMIT)], "HOLE past the announced size"),
    ("hole of 2^63", [START, s.hole(1, 0, 1 << 63)], "length: over the limit"),
    ("hole of 2^64-1", [START, s.hole(1, 0, MOST)], "length: over the limit"),
    ("hole that wraps", [START, s.block(1, 0, b"x" * 9), s.hole(1, 9, LIMIT)], "HOLE past"),
    ("END past the data", [START, s.block(1, 0, b"x"), s.end(1, 2, changed=True)], "does not fit"),
    ("END within the data", [START, *GOOD.blocks, s.end(1, 1, GOOD.sum, changed=True)], "does not fit"),
    ("END at 2^64-1", [START, *GOOD.blocks, s.end(1, MOST, GOOD.sum, changed=True)], "does not fit"),
    ("END without content", [START, s.end(1, SIZE)], "does not fit"),
    ("END shorter, not changed", [START, s.block(1, 0, b"x"), s.end(1, 1)], "unchanged"),
]


@cases(RANGE)
def out_of_range(frames, words):
    hostile_sender(lambda p: p.send(*frames), P, words, terms={"block": s.MIB})


# What a DIGEST leaves out of its DATA is padding: nothing verified may lie behind it, and it is never
# part of the file. Each of these sessions is consistent in its totals up to the end.
X10, REST = s.block_part(0, 10, s.xxh128(b"x" * 10)), CONTENT[100:]
PADDING = [
    ("then more data", [s.data(1, 0, b"x" * 100), s.digest(1, 0, b"x" * 10), s.block(1, 100, REST)],
     [X10, s.block_part(100, len(REST), s.xxh128(REST))], False),
    ("then a hole", [s.data(1, 0, b"x" * 100), s.digest(1, 0, b"x" * 10), s.hole(1, 100, SIZE - 100)],
     [X10], False),
    ("kept", [DATA0, s.digest(1, 0, b"")], [], False),
    ("kept, the file changed", [DATA0, s.digest(1, 0, b"")], [], True),
    ("of ten bytes kept", [s.data(1, 0, CONTENT), s.digest(1, 0, CONTENT[:-10])],
     [s.block_part(0, SIZE - 10, s.xxh128(CONTENT[:-10]))], False),
]


@cases(PADDING)
def padding(frames, parts, changed):
    total = s.digest_sum(parts)
    tail = [s.end(1, SIZE, total, changed=changed),
            s.fin(1, SIZE, s.digest_sum([s.entry_part(1, SIZE, total)])),
            s.bye(s.CHANGED if changed else 0)]
    hostile_sender(lambda p: p.send(START, *frames, *tail), P, "peer sent")


@test
def padding_at_the_end_is_cut_off():
    """What an honest sender does whose file has become shorter."""
    kept = CONTENT[:100]
    part = s.block_part(0, 100, s.xxh128(kept))
    total = s.digest_sum([part])
    end_root = s.digest_sum([s.entry_part(1, 100, total)])

    def script(peer):
        peer.send(START, DATA0, s.digest(1, 0, kept), s.end(1, 100, total, changed=True),
                  s.fin(1, 100, end_root), s.bye(s.CHANGED))
    hostile_sender(script, s.CHANGED, "changed while it was sent", files={"f": kept})


# --- entry ids

@cases([("0", 0), ("2 first", 2), ("2^64-1", MOST), ("2^32+1", (1 << 32) + 1)])
def entry_id(number):
    hostile_sender(lambda p: p.send(s.entry(number, b"f", 1)), P, "id out of order",
                   terms={"sources": 9})


@cases([("reused while open", [START, s.end(1, 0, failure=6), START]),
        ("reused when complete", [*GOOD.frames(), START]),
        ("one left out", [*GOOD.frames(), s.entry(3, b"g", 1)])])
def entry_id_again(frames):
    hostile_sender(lambda p: p.send(*frames), P, "id out of order", terms={"sources": 9})


@cases([(f"{what} for {number}", make(number)) for number in (0, 2, 5, MOST)
        for what, make in (("DATA", lambda n: s.data(n, 0, CONTENT)),
                           ("DIGEST", lambda n: s.digest(n, 0, CONTENT)),
                           ("HOLE", lambda n: s.hole(n, 0, 5)), ("END", lambda n: s.end(n, 5)))])
def never_opened(frame):
    hostile_sender(lambda p: p.send(START, frame), P, "entry that is not open", terms={"sources": 9})


@test
def more_entries_than_announced():
    hostile_sender(lambda p: p.send(*GOOD.frames(), *TWO.frames()), P, "more entries than it announced")


@test
def entries_though_none_was_announced():
    hostile_sender(lambda p: p.send(*GOOD.frames()), P, "announced nothing",
                   terms={"sources": 0})


@cases([("one of three", 3), ("one of 2^32-1", 0xffffffff)])
def fewer_entries_than_announced(announced):
    hostile_sender(lambda p: p.send(*GOOD.frames(), s.fin_of([GOOD]), s.bye()), (P, s.INTEGRITY),
                   "announced", terms={"sources": announced})


@test
def more_open_entries_than_allowed():
    def script(peer):
        for i in range(1, 100):
            peer.send(s.entry(i, b"f%d" % i, 1), s.data(i, 0, b"x"),
                      s.digest(i, 0, b"x", value=bytes(16)), s.end(i, 1))
    hostile_sender(script, P, "more entries than may be open", terms={"sources": 100})


# --- totals

TOTALS = [
    ("no entries", s.fin(0, 0, bytes(16))),
    ("one entry more", s.fin(2, SIZE, root(GOOD))),
    ("2^16 entries", s.fin(1 << 16, SIZE, root(GOOD))),
    ("one byte more", s.fin(1, SIZE + 1, root(GOOD))),
    ("one byte less", s.fin(1, SIZE - 1, root(GOOD))),
    ("2^64-1 bytes", s.fin(1, MOST, root(GOOD))),
    ("another root", s.fin(1, SIZE, root(TWO))),
    ("no root", s.fin(1, SIZE, bytes(16))),
]


@cases(TOTALS)
def fin_with_other_totals(frame):
    hostile_sender(lambda p: p.send(*GOOD.frames(), frame, s.bye()), s.INTEGRITY, "totals")


# --- sizes no disk has

@cases([("2^63-1", LIMIT), ("2^62", 1 << 62)])
def huge_size(size):
    def script(peer):
        peer.send(s.entry(1, b"f", size))
        status = s.read_result(peer.expect(s.RESULT).body)["status"]
        peer.send(s.fin_of([]))
        peer.expect(s.VERDICT)
        peer.send(s.bye(status))
    hostile_sender(script, (s.NO_SPACE, s.REFUSED), "dst/f'", str(size), told=False,
                   existing={"old": b"old"})


@test
def huge_hole():
    """A file system that can hold such a sparse file may; nothing else is a success."""
    total = s.digest_sum([])
    with zrecv() as run:
        before = os.statvfs(run.dst).f_bavail
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1)
        peer.send(s.entry(1, b"f", LIMIT, sparse=True), s.hole(1, 0, LIMIT), s.end(1, LIMIT, total),
                  s.fin(1, LIMIT, s.digest_sum([s.entry_part(1, LIMIT, total)])), s.bye())
        peer.end_sending()
        peer.hear()
        peer.close()
        run.finish()
        assert abs(os.statvfs(run.dst).f_bavail - before) < 1 << 20
        if run.status == 0:
            info = os.stat(os.path.join(run.dst, "f"))
            assert (info.st_size, info.st_blocks) == (LIMIT, 0)
        else:
            # The speaker claims in FIN what was refused: that is one more reason to end.
            run.expect((s.NO_SPACE, s.REFUSED, s.INTEGRITY), files={})


@test
def huge_hole_with_a_digest_can_be_interrupted():
    """Zeros enough for years of hashing: refused, or at least ended by the first SIGTERM."""
    with zrecv("--digest") as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(sources=1)
        peer.send(s.entry(1, b"f", LIMIT, sparse=True), s.hole(1, 0, LIMIT))
        peer.end_sending()
        until(lambda: run.process.poll() is not None or cpu_seconds(run.process.pid) > 0.5)
        if run.process.poll() is None:
            run.process.terminate()
            run.process.wait(10)
        run.finish()
        run.check_stderr()
        assert run.status in (-signal.SIGTERM, P, s.NETWORK, s.NO_SPACE, s.REFUSED), run.describe()
        assert run.tree() == {"dst": None}, run.tree()
        peer.close()


def until(condition):
    give_up = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < give_up, "never true"
        time.sleep(0.01)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# --- memory

@test
def announced_lengths_are_not_allocated():
    """The largest numbers everywhere, and the program stays as small as in a good session."""
    def peak(*frames):
        with zrecv() as run:
            peer = s.connect(run.port, s.SENDER)
            peer.meet(sources=0xffffffff)
            peer.send(*frames)
            peer.end_sending()
            peer.hear()
            peer.close()
            _, status, usage = os.wait4(run.process.pid, 0)
            run.process.returncode = os.waitstatus_to_exitcode(status)
            run.finish()
            assert run.status in (P, s.NETWORK, s.REFUSED), run.describe()
            return usage.ru_maxrss * 1024
    plain = peak(START)
    for frames in ([s.header(s.ENTRY, 0xffffffff, 1)], [START, s.header(s.DATA, 0xffffffff, 1)],
                   [s.entry(1, b"f", LIMIT, sparse=True), s.hole(1, 0, LIMIT)],
                   [START, s.header(s.DATA, 16 << 20, 1)],
                   [s.header(s.FIN, 131072)],
                   [s.message(s.ENTRY, b"\1\0" + struct.pack(">H", 0xffff), 1)]):
        more = peak(*frames) - plain
        assert more < 4 << 20, f"{more} bytes more"


if __name__ == "__main__":
    main()
