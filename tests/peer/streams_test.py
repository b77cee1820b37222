"""Further connections of a session: damage, loss, what comes late, and what no honest peer sends."""
import os

import speaker as s
from harness import cases, hostile_receiver, hostile_sender, main, test, zrecv, zsend_to

SIZE = 3 * s.MIB
CONTENT = os.urandom(SIZE)
LONG = os.urandom(24 * s.MIB)  # more than one connection takes at once
SENT = s.Sent(1, "f", CONTENT)
PIECES = [CONTENT[at:at + s.MIB] for at in range(0, SIZE, s.MIB)]
OLD = {"f": b"old content"}


def block(i, flags=0, content=None):
    return s.block(1, i * s.MIB, PIECES[i] if content is None else content, flags)


def further(run, first, number):
    return s.connect(run.port, s.SENDER).join_stream(first, number)


def begin(run, count=3, **terms):
    """A sender with `count` connections, all there, and one file announced."""
    first = s.connect(run.port, s.SENDER)
    first.meet(sources=1, **terms)
    first.send(s.streams(count))
    assert int.from_bytes(first.expect(s.STREAMS).body, "big") == count
    others = [further(run, first, i) for i in range(1, count)]
    first.send(SENT.announce)
    return [first, *others]


def acknowledged(peer, i):
    frame = peer.expect(s.ACK)
    assert (frame.entry, frame.offset) == (1, i * s.MIB), frame


def conclude(first, sent=SENT, status=0):
    first.send(sent.end)
    assert s.read_result(first.expect(s.RESULT).body)["status"] == status
    first.send(s.fin_of([sent]))
    out = s.read_totals(first.expect(s.VERDICT).body, True)
    first.send(s.bye())
    return out


def leave(*peers):
    for peer in peers:
        peer.send(s.bye())
        peer.end_sending()


def good(run, peers, lost=0, files=None):
    run.expect(0, files=files or {"f": CONTENT})
    summary = run.summary()
    assert (summary["streams"], summary["streams_lost"]) == (len(peers), lost), summary
    for peer in peers:
        peer.close()


@test
def blocks_in_any_order_over_any_connection():
    with zrecv("--digest", existing=OLD) as run:
        peers = first, one, two = begin(run)
        two.send(block(2))
        acknowledged(two, 2)
        first.send(block(1))
        one.send(block(0))
        acknowledged(one, 0)
        leave(one, two)
        conclude(first)
        good(run, peers)
        assert run.summary()["digest"] == s.xxh128(CONTENT).hex()


@test
def a_block_that_comes_before_its_entry():
    with zrecv() as run:
        first = s.connect(run.port, s.SENDER)
        first.meet(sources=1)
        first.send(s.streams(2))
        first.expect(s.STREAMS)
        one = further(run, first, 1)
        one.send(block(0))
        first.send(SENT.announce, block(1), block(2))
        acknowledged(one, 0)
        leave(one)
        conclude(first)
        good(run, [first, one])


@test
def damaged_once_is_asked_for_on_the_same_connection():
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        one.send(s.data(1, s.MIB, bytes(s.MIB)), s.digest(1, s.MIB, PIECES[1]), block(0))
        frame = one.expect(s.RETRY)
        assert (frame.offset, int.from_bytes(frame.body, "big")) == (s.MIB, s.MIB)
        acknowledged(one, 0)
        one.send(block(1, s.RESENT))
        acknowledged(one, 1)
        two.send(block(2))
        acknowledged(two, 2)
        leave(one, two)
        assert conclude(first)["retransmitted"] == 1
        good(run, peers)


@test
def damaged_always():
    with zrecv(existing=OLD) as run:
        first, one = begin(run, 2)
        bad = s.digest(1, 0, value=bytes(16), length=s.MIB)
        one.send(s.data(1, 0, PIECES[0]), bad)
        for _ in range(3):
            one.expect(s.RETRY)
            one.send(s.data(1, 0, PIECES[0], s.RESENT), bad)
        assert s.read_result(first.expect(s.RESULT).body)["status"] == s.INTEGRITY
        leave(one)
        first.send(s.fin_of([]))
        assert s.read_totals(first.expect(s.VERDICT).body, True)["status"] == s.INTEGRITY
        first.send(s.bye(s.INTEGRITY))
        run.expect(s.INTEGRITY, "arrived damaged", files=OLD)


LOSSES = [
    ("nothing of a block", b""),
    ("half a header", block(1)[:16]),
    ("half a block", block(1)[:s.MIB // 2]),
    ("a block without its digest", s.data(1, s.MIB, PIECES[1])),
    ("a damaged block", s.data(1, s.MIB, bytes(s.MIB)) + s.digest(1, s.MIB, PIECES[1])),
    ("a verified block", block(1)),
    ("a verified block of older content", block(1, content=bytes(s.MIB))),
]


@cases([(f"{name}, then over {way}, {how}", sent, way, how) for name, sent in LOSSES
        for way in ("first", "another") for how in ("reset", "still open")])
def a_connection_is_lost_with(sent, way, how):
    """What it had under way comes again; also before the loss is noticed at the receiver."""
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        one.send(block(0))
        acknowledged(one, 0)
        one.send(sent)
        if sent == LOSSES[4][1]:
            one.expect(s.RETRY)
        elif len(sent) > s.MIB + 32:
            acknowledged(one, 1)
        if how == "reset":
            one.reset()
        heir = first if way == "first" else two
        heir.send(block(1, s.attempt(1)))
        if heir is two:
            acknowledged(two, 1)
        first.send(block(2))
        if how != "reset":
            first.send(s.message(s.HEARTBEAT))
            one.reset()
        leave(two)
        conclude(first)
        good(run, peers, lost=1)


@test
def what_comes_late_over_a_lost_connection_is_ignored():
    """Its sender has given it up and sent the block over another; older bytes must not win."""
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        two.send(block(0, s.attempt(1)))
        acknowledged(two, 0)
        one.send(s.block(1, 0, bytes(s.MIB)))
        assert not one.drain()
        first.send(block(1), block(2))
        leave(two)
        conclude(first)
        good(run, peers, lost=1)


@test
def what_comes_when_its_entry_is_complete_is_ignored():
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        first.send(block(0, s.attempt(1)), block(1), block(2), SENT.end)
        first.expect(s.RESULT)
        one.send(block(0))
        assert not one.drain()
        leave(two)
        first.send(s.fin_of([SENT]))
        assert s.read_totals(first.expect(s.VERDICT).body, True)["status"] == 0
        first.send(s.bye())
        good(run, peers, lost=1)


@cases([("another session", {"session": bytes(16)}, 1), ("an index that is not expected", {}, 7),
        ("the first connection's", {}, 0), ("a generation too early", {}, 1 << 16 | 1)])
def a_stranger_who_joins(options, index):
    with zrecv(existing=OLD) as run:
        first = s.connect(run.port, s.SENDER)
        first.meet(sources=1)
        first.send(s.streams(2))
        first.expect(s.STREAMS)
        stranger = s.connect(run.port, s.SENDER)
        try:
            stranger.join_stream(first, index, **options)
            raise AssertionError("joined")
        except (s.Closed, s.Told):
            pass
        one = further(run, first, 1)
        first.send(*SENT.frames()[:-1])
        leave(one)
        conclude(first)
        good(run, [first, one])


ON_FURTHER = [
    ("ENTRY", s.entry(2, "g", 1)), ("HOLE", s.hole(1, 0, 5)), ("END", SENT.end),
    ("FIN", s.fin_of([SENT])), ("HELLO", s.message(s.HELLO, bytes(100))),
    ("STREAMS", s.streams(2)), ("JOIN", s.message(s.JOIN, bytes(68))), ("ACK", s.ack(1, 0)),
    ("RETRY", s.retry(1, 0, 5)), ("VERDICT", s.verdict(0, 0, bytes(16))),
    ("DIGEST without DATA", s.digest(1, 0, b"")),
    ("DATA twice", s.data(1, 0, PIECES[0]) + s.data(1, s.MIB, PIECES[1])),
    ("DATA past the size", s.data(1, SIZE, b"x")), ("DATA without data", s.data(1, 0, b"")),
    ("a block over another", block(0) + s.block(1, s.MIB - 1, b"xx")),
    ("the same block", block(0) + block(0)),
    ("DATA of 16 MiB", s.data(1, 0, bytes(16 * s.MIB))),
    ("a resent block unasked", block(0, s.RESENT)),
    ("an unknown flag", block(0, 0x1000)), ("an unknown type", s.message(0x8099)),
    ("entry 0", s.block(0, 0, b"x")),
]


@cases(ON_FURTHER)
def not_on_a_further_connection(frames):
    with zrecv(existing=OLD) as run:
        first, one = begin(run, 2)
        one.send(frames)
        frame = first.read()
        while frame.kind != s.ERROR:
            frame = first.read()
        assert s.read_error(frame.body)["status"] == s.PROTOCOL
        run.expect(s.PROTOCOL, files=OLD)


@cases([("more than agreed", [s.streams(3)], {"options": ["--streams=2"]}),
        ("1", [s.streams(1)], {}), ("0", [s.streams(0)], {}), ("17", [s.streams(17)], {}),
        ("twice", [s.streams(2), s.streams(2)], {}),
        ("after an ENTRY", [SENT.announce, s.streams(2)], {})])
def streams_that_are_not_allowed(frames, more):
    def script(peer):
        peer.send(*frames)
    hostile_sender(script, s.PROTOCOL, existing=OLD, **more)


@test
def an_attempt_where_there_is_one_stream():
    def script(peer):
        peer.send(SENT.announce, block(0, s.attempt(1)))
    hostile_sender(script, s.PROTOCOL, "unknown flags", existing=OLD)


@test
def gaps_without_end():
    def script(peer):
        peer.send(s.streams(2))
        peer.expect(s.STREAMS)
        peer.send(s.entry(1, "f", 1 << 40, sparse=True))
        for at in range(0, 3000, 2):
            peer.send(s.block(1, at, b"x"))
    hostile_sender(script, s.PROTOCOL, "gaps", existing=OLD)


# --- a receiver against zsend

def listen_for(script, status, *words):
    listener = s.Listener()
    with zsend_to(listener, [("f", LONG)], "--streams=2", "--block-size=1M") as run:
        first = listener.accept(s.RECEIVER)
        first.meet()
        frame = first.expect(s.STREAMS)
        assert frame.body == b"\0\2"
        first.send(s.streams(2))
        one = listener.accept(s.RECEIVER).join_stream(first, None)
        assert one.index == 1
        script(first, one)
        first.hear()
        run.expect(status, *words, files={})
        first.close()
        one.close()
    listener.close()


def first_block(peer):
    frame = peer.expect(s.DATA)
    peer.expect(s.DIGEST)
    return frame


@cases([("ACK of what was not sent", lambda f: s.ack(1, f.offset + 1)),
        ("ACK of another entry", lambda f: s.ack(2, f.offset)),
        ("ACK twice", lambda f: s.ack(1, f.offset) * 2),
        ("RETRY of what was not sent", lambda f: s.retry(1, f.offset + 1, 1)),
        ("RETRY of another length", lambda f: s.retry(1, f.offset, f.length - 1)),
        ("RETRY after ACK", lambda f: s.ack(1, f.offset) + s.retry(1, f.offset, f.length)),
        ("RETRY four times", lambda f: s.retry(1, f.offset, f.length) * 4),
        ("RESULT", lambda f: s.result(1)), ("STREAMS", lambda f: s.streams(2)),
        ("DATA", lambda f: s.data(1, 0, b"x"))])
def zsend_hears_on_a_further_connection(answer):
    def script(_, one):
        one.send(answer(first_block(one)))
    listen_for(script, s.PROTOCOL)


@test
def zsend_hears_streams_unasked():
    def script(peer):
        peer.send(s.streams(2))
    hostile_receiver(script, s.PROTOCOL, content=bytes(24 * s.MIB), options=["--streams=1"])


if __name__ == "__main__":
    main()
