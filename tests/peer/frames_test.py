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
    ("kind", s.entry(1, b"f", SIZE, kind=5), "kind: unknown"),
    ("entry flags", s.entry(1, b"f", SIZE, flags=64), "flags: unknown bit"),
    ("one that failed, with a size", s.entry(1, b"f", SIZE, flags=4), "size: of what has no content"),
    ("mode", s.entry(1, b"f", SIZE, mode=0o10000), "mode"),
    ("nanoseconds", s.entry(1, b"f", SIZE, nsec=1_000_000_000), "mtime nanoseconds"),
    ("size 2^63", s.entry(1, b"f", 1 << 63), "size: over the limit"),
    ("size 2^64-1", s.entry(1, b"f", MOST), "size: over the limit"),
    ("byte too many", s.message(s.ENTRY, body_of(START) + b"x", 1), "1 bytes too many"),
    ("byte too few", s.message(s.ENTRY, body_of(START)[:-1], 1), "message ends early"),
    ("name length past the end", s.message(s.ENTRY, b"\1\0\0\1\xff\xff", 1), "peer sent a bad ENTRY"),
    ("END flags", START + s.message(s.END, b"\x08" + bytes(35), 1), "flags: unknown bit"),
    ("END status", START + s.end(1, SIZE, failure=99), "status: unknown"),
    ("FIN too short", s.message(s.FIN, bytes(7)), "message ends early"),
    ("HEARTBEAT without its count", s.message(s.HEARTBEAT), "message ends early"),
    ("HEARTBEAT with more than its count", s.message(s.HEARTBEAT, bytes(9)), "1 bytes too many"),
    ("ERROR of status 0", s.error(0), "status: an error that is none"),
    ("ERROR of unknown status", s.error(77), "status: unknown"),
    ("ERROR text too long", s.error(4, b"x" * 1025), "over 1024 bytes"),
    ("engine name too long", s.fin(0, s.path_report(b"e" * 49)), "over 48 bytes"),
]


@cases(FORMAT)
def malformed(sent, words):
    soon = within(20)
    hostile_sender(lambda p: p.send(sent), P, words)
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
        peer.send(make(s.terms(peer.prefaces)))
        peer.hear() if make(b"")[:2] == b"\x80\x01" else peer.drain()
        peer.close()
        run.expect(status, words, files={})


TERMS = [
    ("block limit 0", {"block": 0}, P, "block limit"),
    ("block limit 1 MiB - 1", {"block": s.MIB - 1}, P, "block limit"),
    ("block limit 16 MiB + 1", {"block": 16 * s.MIB + 1}, P, "block limit"),
    ("block limit 2^32-1", {"block": 0xffffffff}, P, "block limit"),
    ("durability", {"durability": 4}, P, "durability: unknown"),
    ("overwrite", {"overwrite": 6}, P, "overwrite: unknown"),
    ("silence of 249 ms", {"silence": 249}, P, "silence: not from"),
    ("silence of 15001 ms", {"silence": 15001}, P, "silence: not from"),
    ("silence of 0", {"silence": 0}, P, "silence: not from"),
    ("streams", {"streams": 17}, P, "streams: over 16"),
    ("rate limit", {"rate_limit": 1023}, P, "rate limit: below 1 KiB/s"),
    ("required feature", {"required": 1 << 40}, P, "requires features"),
    ("build too long", {"build": b"b" * 65}, P, "over 64 bytes"),
]


@cases(TERMS)
def hello_terms(terms, status, words):
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces()
        peer.send(s.message(s.HELLO, s.terms(peer.prefaces, **terms)))
        frames = peer.hear()
        peer.close()
        run.expect(status, words, files={})
        assert s.read_error(frames[-1].body)["status"] == status


@test
def hello_with_unknown_optional_features_is_taken():
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(optional=MOST)
        s.send_files(peer, [("f", CONTENT)])
        peer.close()
        run.expect(0, files={"f": CONTENT})


@cases([("connector's", 0), ("listener's", 1)])
def hello_with_another_preface(which):
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces()
        peer.prefaces[which] = peer.prefaces[which][:-1] + bytes([peer.prefaces[which][-1] ^ 1])
        peer.send(s.message(s.HELLO, s.terms(peer.prefaces)))
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
        return s.message(0x0777, os.urandom(1000), 5, 6, 7) + s.heartbeat()
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(any_time(), s.message(0x7fff), s.message(0, os.urandom(131064)))
        peer.send(GOOD.announce, any_time(), s.data(1, 0, CONTENT), any_time(),
                  s.digest(1, 0, CONTENT), any_time(), GOOD.end, any_time(), s.fin_of([GOOD]))
        s.up_to_verdict(peer, [GOOD])
        # What it has taken is counted by then; a count that goes back would be an error.
        peer.send(s.message(0x0777, b"x", 5, 6, 7), s.heartbeat(peer.taken), s.bye())
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
    ("DIGEST before ENTRY", [s.digest(1, 0, CONTENT)], "a DIGEST without its DATA"),
    ("HOLE before ENTRY", [s.hole(1, 0, 1)], "entry that is not open"),
    ("END before ENTRY", [GOOD.end], "entry that is not open"),
    ("BYE before FIN", [s.bye()], "peer sent BYE"),
    ("BYE before VERDICT", [*GOOD.frames(), s.fin(1), s.bye()], "peer sent BYE"),
    ("FIN without an entry", [s.fin(0)], "FIN before any entry"),
    ("FIN with an open entry", [START, s.fin(1)], "before the END of every entry"),
    ("FIN before END", [START, GOOD.blocks[0], s.fin(1)], "before the END of every entry"),
    ("FIN for one entry less", [*GOOD.frames(), s.fin(0)], "FIN for 0 entries after 1"),
    ("FIN for one entry more", [*GOOD.frames(), s.fin(2)], "FIN for 2 entries after 1"),
    ("FIN for 2^64-1 entries", [*GOOD.frames(), s.fin(MOST)], "FIN for 18446744073709551615 entries after 1"),
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
    ("ENTRY before the DIGEST", [START, DATA0, TWO.announce], "before the DIGEST"),
    ("FIN before the DIGEST", [START, DATA0, s.fin(1)], "before the DIGEST"),
    ("DIGEST of another entry", [START, TWO.announce, DATA0, s.digest(2, 0, CONTENT)], "a DIGEST without its DATA"),
    ("END twice while the block is missing", [START, GOOD.end, GOOD.end], "peer sent END twice"),
    ("HOLE after END", [START, GOOD.end, s.hole(1, 0, 1)], "peer sent HOLE after END"),
    ("HELLO again", [START, s.message(s.HELLO, s.terms([bytes(24)] * 2))], "peer sent HELLO"),
    ("WELCOME", [s.message(s.WELCOME, s.terms([bytes(24)] * 2))], "peer sent WELCOME"),
    ("ACK", [START, s.ack(1, 0)], "peer sent ACK"),
    ("RETRY", [START, s.retry(1, 0, SIZE)], "peer sent RETRY"),
    ("RESULTS", [START, s.result(1)], "peer sent RESULTS"),
    ("JOIN", [START, s.join([bytes(24)] * 2, bytes(16))], "peer sent JOIN"),
    ("a count of what was not sent", [START, s.heartbeat(1)], "counted messages that were not sent"),
    ("a count of 2^64-1", [s.heartbeat(MOST)], "counted messages that were not sent"),
    ("VERDICT", [s.verdict(0, 0, bytes(16))], "peer sent VERDICT"),
    ("resent block that nobody asked for", [START, s.data(1, 0, CONTENT, flags=s.RESENT)],
     "not asked for"),
    ("resent block after it was good", [START, *GOOD.blocks, s.data(1, 0, CONTENT, flags=s.RESENT)],
     "not asked for"),
    ("unknown DATA flag", [START, s.data(1, 0, CONTENT, flags=2)], "unknown flags"),
    ("another unknown DATA flag", [START, s.data(1, 0, CONTENT, flags=0x80)], "unknown flags"),
    ("the flag of DATA in DIGEST", [START, DATA0, s.message(s.DIGEST, bytes(20), 1, flags=1)], "unknown flags"),
]


@cases(STATE)
def wrong_state(frames, words):
    hostile_sender(lambda p: p.send(*frames), P, words, terms={"flags": s.SEVERAL})


@cases([("FIN twice", s.fin_of([GOOD])), ("ENTRY after FIN", TWO.announce), ("HOLE after FIN", s.hole(1, 0, 1)),
        ("END after FIN", GOOD.end), ("STREAMS after FIN", s.streams(2)),
        ("DATA of an entry that was not announced", s.data(2, 0, b"x")),
        ("unknown type after FIN", s.message(0x8abc))])
def after_fin(frame):
    """All is committed by then, and both sides must still call it a failure."""
    def script(peer):
        peer.send(*GOOD.frames(), s.fin_of([GOOD]))
        s.up_to_verdict(peer, [GOOD])
        peer.send(frame)
    hostile_sender(script, P, "peer sent", files={"f": CONTENT})


@test
def blocks_after_the_end_are_acknowledged():
    """Nobody wants them, but their sender may not know that."""
    def script(peer):
        peer.send(*GOOD.frames())
        while peer.read().kind != s.RESULTS:
            pass
        peer.send(DATA0, s.digest(1, 0, CONTENT, value=bytes(16)), s.block(1, 0, CONTENT, s.attempt(3)))
        s.collect_acks(peer, 1, [0])
        s.collect_acks(peer, 1, [0])
        peer.send(s.fin(1), DATA0, s.digest(1, 0, CONTENT))
        frames = [peer.read(), peer.read()]
        assert sorted(f.kind for f in frames) == [s.ACK, s.VERDICT], frames
        peer.send(s.bye())
    hostile_sender(script, 0, files={"f": CONTENT})


@test
def entries_that_overlap():
    """Blocks and ENDs of several entries in any order, each entry in its own."""
    other = s.Sent(3, b"h", CONTENT[::-1], block_size=1000)
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=s.SEVERAL)
        peer.send(START, TWO.announce, other.announce, other.blocks[0], *TWO.blocks, other.blocks[1], TWO.end,
                  *GOOD.blocks, other.blocks[2], other.end, GOOD.end, s.fin(3))
        s.up_to_verdict(peer, [GOOD, TWO, other])
        peer.send(s.bye())
        run.expect(0, files={"f": CONTENT, "g": b"second", "h": CONTENT[::-1]})
        peer.close()


@test
def bye_with_another_status():
    """The peer's contradiction is the peer's fault, not an internal error of this side."""
    def script(peer):
        peer.send(*GOOD.frames(), s.fin_of([GOOD]))
        s.up_to_verdict(peer, [GOOD])
        peer.send(s.bye(s.FILE_IO))
    hostile_sender(script, P, "another status", files={"f": CONTENT})


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
    ("hole of nothing", [START, s.hole(1, 0, 0)], "HOLE of no length"),
    ("data before a hole", [START, s.hole(1, 1, 5), s.data(1, 0, b"x")], "out of order"),
    ("hole over data", [START, s.block(1, 0, b"x" * 9), s.hole(1, 5, 9)], "HOLE over what it has sent before"),
    ("hole over a hole", [START, s.hole(1, 0, 9), s.hole(1, 0, 9)], "HOLE over what it has sent before"),
    ("hole past the size", [START, s.hole(1, 0, SIZE + 1)], "HOLE past the announced size"),
    ("hole of 2^63-1", [START, s.hole(1, 0, LIMIT)], "HOLE past the announced size"),
    ("hole of 2^63", [START, s.hole(1, 0, 1 << 63)], "length: over the limit"),
    ("hole of 2^64-1", [START, s.hole(1, 0, MOST)], "length: over the limit"),
    ("hole that wraps", [START, s.block(1, 0, b"x" * 9), s.hole(1, 9, LIMIT)], "HOLE past"),
    ("END past the data", [BIG, s.block(1, 0, bytes(s.MIB)), s.end(1, s.MIB + 1, changed=True)],
     "before all blocks were acknowledged"),
    ("END past the size", [START, s.block(1, 0, b"x"), s.end(1, SIZE + 1, changed=True)], "does not fit"),
    ("END within the data", [START, *GOOD.blocks, s.end(1, 1, GOOD.sum, changed=True)], "does not fit"),
    ("END at 2^64-1", [START, *GOOD.blocks, s.end(1, MOST, GOOD.sum, changed=True)], "does not fit"),
    ("END without content", [BIG, s.end(1, 4 * s.MIB)], "before all blocks were acknowledged"),
    ("END with a block under way", [BIG, s.block(1, 0, bytes(s.MIB)), s.block(1, s.MIB, bytes(s.MIB)),
                                    s.data(1, 2 * s.MIB, bytes(s.MIB)),
                                    s.digest(1, 2 * s.MIB, b"", bytes(16), s.MIB),
                                    s.end(1, 3 * s.MIB, changed=True)], "before all blocks were acknowledged"),
    ("END shorter, not changed", [START, s.block(1, 0, b"x"), s.end(1, 1)], "unchanged"),
]


@cases(RANGE)
def out_of_range(frames, words):
    hostile_sender(lambda p: p.send(*frames), P, words, terms={"block": s.MIB})


@cases([("past the data", [START, s.block(1, 0, b"x"), s.end(1, 2, changed=True)]),
        ("without content", [START, s.end(1, SIZE)]), ("behind a gap", [START, s.hole(1, 1, SIZE - 1), s.end(1, SIZE)])])
def an_end_that_nothing_follows(frames):
    """The END of a small file may come before its block: it is held, and nothing comes of it without."""
    hostile_sender(lambda p: p.send(*frames, s.fin(1)), s.NETWORK, "not made again within 1 s", told=False,
                   options=["--timeout=1"])


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
    hostile_sender(lambda p: p.send(START, *frames, s.end(1, SIZE, total, changed=changed), s.fin(1)), P,
                   "peer sent")


@test
def padding_at_the_end_is_cut_off():
    """What an honest sender does whose file has become shorter."""
    kept = CONTENT[:100]
    part = s.block_part(0, 100, s.xxh128(kept))
    total = s.digest_sum([part])

    def script(peer):
        peer.send(START, DATA0, s.digest(1, 0, kept), s.end(1, 100, total, changed=True), s.fin(1))
        assert s.collect_acks(peer, 1, [0]) == []
        assert s.read_result(peer.expect(s.RESULTS).body)["status"] == 0
        verdict = s.read_verdict(peer.expect(s.VERDICT).body)
        assert (verdict["status"], verdict["bytes"]) == (s.CHANGED, 100), verdict
        assert verdict["root"] == s.digest_sum([s.entry_part(1, 100, total)])
        peer.send(s.bye(s.CHANGED))
    hostile_sender(script, s.CHANGED, "changed while it was sent", files={"f": kept}, told=False)


# --- entry ids

@cases([("0", 0), ("2 first", 2), ("2^64-1", MOST), ("2^32+1", (1 << 32) + 1)])
def entry_id(number):
    hostile_sender(lambda p: p.send(s.entry(number, b"f", 1)), P, "id out of order",
                   terms={"flags": s.SEVERAL})


@cases([("reused while open", [START, s.end(1, 0, failure=6), START]),
        ("reused when complete", [*GOOD.frames(), START]),
        ("one left out", [*GOOD.frames(), s.entry(3, b"g", 1)])])
def entry_id_again(frames):
    hostile_sender(lambda p: p.send(*frames), P, "id out of order", terms={"flags": s.SEVERAL})


@cases([(f"{what} for {number}", make(number)) for number in (0, 2, 5, MOST)
        for what, make in (("DATA", lambda n: s.data(n, 0, CONTENT)),
                           ("HOLE", lambda n: s.hole(n, 0, 5)), ("END", lambda n: s.end(n, 5)))])
def never_opened(frame):
    hostile_sender(lambda p: p.send(START, frame), P, "entry that is not open", terms={"flags": s.SEVERAL})


@test
def more_entries_than_announced():
    hostile_sender(lambda p: p.send(*GOOD.frames(), *TWO.frames()), P, "more entries than it announced")


@test
def more_open_entries_than_allowed():
    """8192 may be announced without being complete. None of them holds a descriptor."""
    def script(peer):
        peer.send(*[s.entry(i, b"f%d" % i, 1) for i in range(1, 8193)])
        peer.send(s.block(8192, 0, b"x"))
        s.collect_acks(peer, 8192, [0])
        peer.send(s.entry(8193, b"f", 1))
    hostile_sender(script, P, "more entries than may be open", terms={"flags": s.SEVERAL})


@test
def blocks_of_more_entries_than_files_may_be_open():
    def script(peer):
        peer.send(*[s.entry(i, b"f%d" % i, 4 * s.MIB) for i in range(1, 30)])
        for i in range(1, 17):
            peer.send(s.block(i, 0, b"x"))
            s.collect_acks(peer, i, [0])
        peer.send(s.block(17, 0, b"x"))
    hostile_sender(script, P, "blocks of more than 16 entries at a time", terms={"flags": s.SEVERAL, "block": s.MIB})


# --- sizes no disk has

@cases([("2^63-1", LIMIT), ("2^62", 1 << 62)])
def huge_size(size):
    def script(peer):
        # The file is made when its first block comes.
        peer.send(s.entry(1, b"f", size), s.block(1, 0, b"x"))
        while (frame := peer.read()).kind == s.ACK:
            pass
        status = s.read_results(frame.body)[1]["status"]
        peer.send(s.fin(1))
        while (frame := peer.read()).kind == s.ACK:
            pass
        assert s.read_verdict(frame.body)["status"] == status
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
        peer.meet()
        peer.send(s.entry(1, b"f", LIMIT, sparse=True), s.hole(1, 0, LIMIT), s.end(1, LIMIT, total), s.fin(1))
        result = s.read_result(peer.expect(s.RESULTS).body)
        assert s.read_verdict(peer.expect(s.VERDICT).body)["status"] == result["status"]
        peer.send(s.bye(result["status"]))
        peer.hear()
        peer.close()
        run.finish()
        assert abs(os.statvfs(run.dst).f_bavail - before) < 1 << 20
        if run.status == 0:
            info = os.stat(os.path.join(run.dst, "f"))
            assert (info.st_size, info.st_blocks) == (LIMIT, 0)
        else:
            run.expect((s.NO_SPACE, s.REFUSED), files={})


@test
def huge_hole_with_a_digest_can_be_interrupted():
    """The most zeros that are hashed, which takes a while: ended by the first SIGTERM."""
    most = 1 << 40
    with zrecv("--digest") as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(s.entry(1, b"f", most, sparse=True), s.hole(1, 0, most))
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
        with zrecv("--timeout=1") as run:
            peer = s.connect(run.port, s.SENDER)
            peer.meet(flags=s.SEVERAL)
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
                   [s.message(s.ENTRY, b"\1\0" + struct.pack(">H", 0xffff), 1)],
                   [s.header(s.DATA, 16 << 20, MOST)], [s.header(s.HEARTBEAT, 131072)]):
        more = peak(*frames) - plain
        assert more < 4 << 20, f"{more} bytes more"


if __name__ == "__main__":
    main()
