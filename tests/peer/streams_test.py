"""Further connections of a session: damage, loss, what comes late, and what no honest peer sends. Joining itself is in
strangers_test.py, what happens to the first connection in reconnect_recv_test.py and reconnect_send_test.py."""
import os
import threading
import time

import speaker as s
from harness import ZSEND, Run, cases, hostile_receiver, hostile_sender, main, test, zrecv, zsend_to

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
    first.meet(**terms)
    first.send(s.streams(count))
    assert int.from_bytes(first.expect(s.STREAMS).body, "big") == count
    others = [further(run, first, i) for i in range(1, count)]
    first.send(SENT.announce)
    return [first, *others]


def acknowledged(peer, i):
    frame = peer.expect(s.ACK)
    assert (frame.entry, frame.offset, frame.body) == (1, i * s.MIB, b""), frame


def kept(peer, i, content):
    """An earlier copy, with this content, is the one that counts."""
    frame = peer.expect(s.ACK)
    assert s.message(s.ACK, frame.body, frame.entry, frame.offset) == s.ack(1, i * s.MIB, content), frame


def first_blocks(first, *numbers):
    """Over the first connection: they have their ACK there too."""
    first.send(*[block(i) for i in numbers])
    for i in numbers:
        acknowledged(first, i)


def conclude(first, sent=SENT):
    """When all blocks have their ACK."""
    first.send(sent.end, s.fin_of([sent]))
    out = s.up_to_verdict(first, [sent])
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
        first_blocks(first, 1)
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
        first.meet()
        first.send(s.streams(2))
        first.expect(s.STREAMS)
        one = further(run, first, 1)
        one.send(block(0))
        first.send(SENT.announce)
        first_blocks(first, 1, 2)
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
        assert s.read_result(first.expect(s.RESULTS).body)["status"] == s.INTEGRITY
        acknowledged(one, 0)
        leave(one)
        first.send(s.fin(1))
        assert s.read_verdict(first.expect(s.VERDICT).body)["status"] == s.INTEGRITY
        first.send(s.bye(s.INTEGRITY))
        run.expect(s.INTEGRITY, "arrived damaged", files=OLD)


# What was sent of block 1 over the connection that is lost, what it was answered with, and which copy counts then.
LOSSES = [
    ("nothing of a block", b"", None, None),
    ("half a header", block(1)[:16], None, None),
    ("half a block", block(1)[:s.MIB // 2], None, None),
    ("a block without its digest", s.data(1, s.MIB, PIECES[1]), None, None),
    ("a damaged block", s.data(1, s.MIB, bytes(s.MIB)) + s.digest(1, s.MIB, PIECES[1]), s.RETRY, None),
    ("a verified block", block(1), s.ACK, PIECES[1]),
    ("a verified block of other content", block(1, content=bytes(s.MIB)), s.ACK, bytes(s.MIB)),
    ("a verified block that was shorter", s.data(1, s.MIB, PIECES[1]) + s.digest(1, s.MIB, PIECES[1][:-5]), s.ACK,
     PIECES[1][:-5]),
]


@cases([(f"{name}, then over {way}, {how}", *rest, way, how) for name, *rest in LOSSES[:-1]
        for way in ("first", "another") for how in ("reset", "still open")])
def a_connection_is_lost_with(sent, answer, copy, way, how):
    """What it had under way comes again; also before the loss is noticed at the receiver. A copy that was verified
    stays, and its digest is in the ACK."""
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        one.send(block(0))
        acknowledged(one, 0)
        one.send(sent)
        if answer:
            one.expect(answer)
        if how == "reset":
            one.reset()
        heir = first if way == "first" else two
        heir.send(block(1, s.attempt(1)))
        if copy is None:
            acknowledged(heir, 1)
        else:
            kept(heir, 1, copy)
        first_blocks(first, 2)
        if how != "reset":
            first.send(s.heartbeat(first.taken))
            one.reset()
        leave(two)
        pieces = [PIECES[0], copy or PIECES[1], PIECES[2]]
        mixed = s.Sent(1, "f", b"".join(pieces))
        conclude(first, mixed)
        good(run, peers, lost=1, files={"f": b"".join(pieces)})


@test
def a_copy_that_was_shorter_is_kept_too():
    """Then the entry ends there, whatever the file has now."""
    _, sent, _, copy = LOSSES[-1]
    with zrecv(existing=OLD) as run:
        peers = first, one = begin(run, 2)
        first_blocks(first, 0)
        one.send(sent)
        acknowledged(one, 1)
        one.reset()
        first.send(block(1, s.attempt(1)))
        kept(first, 1, copy)
        parts = [s.block_part(0, s.MIB, s.xxh128(PIECES[0])), s.block_part(s.MIB, len(copy), s.xxh128(copy))]
        size, total = s.MIB + len(copy), s.digest_sum(parts)
        first.send(s.end(1, size, total, changed=True), s.fin(1))
        assert s.read_result(first.expect(s.RESULTS).body)["status"] == 0
        assert s.read_verdict(first.expect(s.VERDICT).body)["status"] == s.CHANGED
        first.send(s.bye(s.CHANGED))
        run.expect(s.CHANGED, files={"f": PIECES[0] + copy})
        for peer in peers:
            peer.close()


@test
def lost_twice():
    """The first time with the block verified, then in the middle of it; the third copy is dropped too."""
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        one.send(block(1))
        acknowledged(one, 1)
        one.reset()
        two.send(block(1, s.attempt(1), content=bytes(s.MIB))[:s.MIB // 2])
        two.reset()
        first.send(block(1, s.attempt(2), content=bytes(s.MIB)))
        kept(first, 1, PIECES[1])
        first_blocks(first, 0, 2)
        conclude(first)
        good(run, peers, lost=2)


@test
def what_comes_late_over_a_lost_connection_is_ignored():
    """Its sender has given it up and sent the block over another; older bytes must not win."""
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        two.send(block(0, s.attempt(1)))
        acknowledged(two, 0)
        one.send(s.block(1, 0, bytes(s.MIB)))
        assert not one.hear()
        first_blocks(first, 1, 2)
        leave(two)
        conclude(first)
        good(run, peers, lost=1)


@test
def what_comes_when_its_entry_is_complete_is_acknowledged():
    """It is read and dropped."""
    with zrecv(existing=OLD) as run:
        peers = first, one, two = begin(run)
        first.send(block(0, s.attempt(1)))
        acknowledged(first, 0)
        first_blocks(first, 1, 2)
        first.send(SENT.end)
        first.expect(s.RESULTS)
        one.send(block(0, content=bytes(s.MIB)))
        acknowledged(one, 0)
        leave(one, two)
        first.send(s.fin_of([SENT]))
        assert s.read_verdict(first.expect(s.VERDICT).body)["status"] == 0
        first.send(s.bye())
        good(run, peers)


@test
def a_lost_connection_is_made_again():
    """Under the same number, as often as it is lost; what it brings counts as before."""
    with zrecv(existing=OLD) as run:
        first, one = begin(run, 2)
        for i in range(3):
            one.send(block(i))
            acknowledged(one, i)
            one.reset()
            one = s.connect(run.port, s.SENDER).join_stream(first, 1, 2 + i)
        leave(one)
        conclude(first)
        run.expect(0, files={"f": CONTENT})
        summary = run.summary()
        assert (summary["streams"], summary["streams_lost"]) == (2, 3), summary
        for peer in (first, one):
            peer.close()


@test
def a_connection_that_joins_again_ends_the_old_one():
    """Before its loss is noticed: the old one is shut down, in the middle of a block."""
    with zrecv(existing=OLD) as run:
        first, one = begin(run, 2)
        one.send(block(0)[:s.MIB // 2])
        again = s.connect(run.port, s.SENDER).join_stream(first, 1, 2)
        assert not one.hear()
        again.send(block(0, s.attempt(1)), block(1), block(2))
        for i in range(3):
            acknowledged(again, i)
        leave(again)
        conclude(first)
        run.expect(0, files={"f": CONTENT})
        for peer in (first, one, again):
            peer.close()


ON_FURTHER = [
    ("ENTRY", s.entry(2, "g", 1)), ("HOLE", s.hole(1, 0, 5)), ("END", SENT.end),
    ("FIN", s.fin_of([SENT])), ("HELLO", s.message(s.HELLO, bytes(100))),
    ("STREAMS", s.streams(2)), ("JOIN", s.message(s.JOIN, bytes(78))), ("ACK", s.ack(1, 0)),
    ("RETRY", s.retry(1, 0, 5)), ("RESULTS", s.result(1)), ("VERDICT", s.verdict(0, 0, bytes(16))),
    ("DIGEST without DATA", s.digest(1, 0, b"")),
    ("DATA twice", s.data(1, 0, PIECES[0]) + s.data(1, s.MIB, PIECES[1])),
    ("DATA past the size", s.data(1, SIZE, b"x")), ("DATA without data", s.data(1, 0, b"")),
    ("a block over another", block(0) + s.block(1, s.MIB - 1, b"xx")),
    ("the same block", block(0) + block(0)),
    ("DATA of 16 MiB", s.data(1, 0, bytes(16 * s.MIB))),
    ("a resent block unasked", block(0, s.RESENT)),
    ("an unknown flag", block(0, 0x10)), ("an unknown type", s.message(0x8099)),
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
def gaps_without_end():
    def script(peer):
        peer.send(s.streams(2))
        peer.expect(s.STREAMS)
        peer.send(s.entry(1, "f", 1 << 40, sparse=True))
        for at in range(0, 3000, 2):
            peer.send(s.block(1, at, b"x"))
    hostile_sender(script, s.PROTOCOL, "gaps", existing=OLD)


# --- a receiver against zsend

def read_slowly(peer):
    """The first connection, on a thread: the sender has time for the other one."""
    def run():
        try:
            while True:
                frame = peer.read()
                if frame.kind == s.DIGEST:
                    time.sleep(0.1)
                    peer.send(s.ack(frame.entry, frame.offset))
        except s.Closed:
            pass
    thread = threading.Thread(target=run)
    thread.start()
    return thread


def listen_for(script, status, *words):
    listener = s.Listener()
    with zsend_to(listener, [("f", LONG)], "--streams=2", "--block-size=1M") as run:
        first = listener.accept(s.RECEIVER)
        first.meet()
        frame = first.expect(s.STREAMS)
        assert frame.body == b"\0\2"
        first.send(s.streams(2))
        one = listener.accept(s.RECEIVER).join_stream(first)
        assert (one.stream, one.generation) == (1, 1)
        thread = read_slowly(first)
        script(one)
        one.drain()  # nothing that it still sends holds it up
        run.expect(status, *words, files={})
        thread.join()
        first.close()
        one.close()
    listener.close()


SPARSE_STEP = 68 << 10


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
        ("ACK with a digest that was not sent", lambda f: s.ack(1, f.offset, b"x")),
        ("a count", lambda f: s.heartbeat(1) + s.message(0x8abc)),
        ("RESULTS", lambda f: s.result(1)), ("STREAMS", lambda f: s.streams(2)),
        ("DATA", lambda f: s.data(1, 0, b"x"))])
def zsend_hears_on_a_further_connection(answer):
    def script(one):
        one.send(answer(first_block(one)))
    listen_for(script, s.PROTOCOL)


@test
def no_more_pieces_than_the_receiver_keeps_apart():
    """Blocks wait on further connections that nobody reads, holes and the other blocks pass on the first one."""
    listener = s.Listener()
    with Run() as run:
        path = run.write("f", b"")
        with open(path, "r+b") as f:
            for at in range(0, 6000 * SPARSE_STEP, SPARSE_STEP):
                f.seek(at)
                f.write(b"x" * 4096)
        run.start(ZSEND, "--plain", "--no-auth", "--streams=4", "--timeout=60", path, f"zs://127.0.0.1:{listener.port}/")
        first = listener.accept(s.RECEIVER)
        first.meet()
        first.expect(s.STREAMS)
        first.send(s.streams(4))
        others = [listener.accept(s.RECEIVER).join_stream(first) for _ in range(3)]
        covered, quiet = [], 0
        while quiet < 5:
            frame = first.read(optional_too=True)
            quiet = quiet + 1 if frame.kind == s.HEARTBEAT else 0
            if frame.kind == s.HEARTBEAT:
                first.beat()
            elif frame.kind == s.HOLE:
                covered.append((frame.offset, frame.offset + int.from_bytes(frame.body, "big")))
            elif frame.kind == s.DATA:
                covered.append((frame.offset, frame.offset + frame.length))
            elif frame.kind == s.DIGEST:
                first.send(s.ack(frame.entry, frame.offset))
        covered.sort()
        gaps = sum(one[1] < two[0] for one, two in zip(covered, covered[1:]))
        assert 500 < gaps < 1024, gaps
        for peer in (first, *others):
            peer.close()
    listener.close()


@test
def zsend_hears_streams_unasked():
    def script(peer):
        peer.send(s.streams(2))
    hostile_receiver(script, s.PROTOCOL, content=bytes(24 * s.MIB), options=["--streams=1"])


if __name__ == "__main__":
    main()
