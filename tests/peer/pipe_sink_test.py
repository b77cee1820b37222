"""zrecv --exec, which hands the content on as it is verified: damage, loss and what a hostile sender can do about it."""
import os
import time

import speaker as s
from harness import PATIENCE, cases, main, test, zrecv

SIZE = 3 * s.MIB
CONTENT = os.urandom(SIZE)
SENT = s.Sent(1, "f", CONTENT)
PIECES = [CONTENT[at:at + s.MIB] for at in range(0, SIZE, s.MIB)]


def block(i, flags=0, content=None):
    return s.block(1, i * s.MIB, PIECES[i] if content is None else content, flags)


def receiver(command="cat >parent/dst/f; touch parent/dst/end", *options):
    return zrecv(*options, dst=f"--exec={command}")


def begin(run, count=1, sent=SENT):
    first = s.connect(run.port, s.SENDER)
    first.meet()
    others = []
    if count > 1:
        first.send(s.streams(count))
        first.expect(s.STREAMS)
        others = [s.connect(run.port, s.SENDER).join_stream(first, i) for i in range(1, count)]
    first.send(sent.announce)
    return [first, *others]


def acknowledged(peer, *numbers):
    """Answers to blocks come in their order; these are good ones."""
    for i in numbers:
        frame = peer.expect(s.ACK)
        assert (frame.offset, frame.body) == (i * s.MIB, b""), frame


def result(peer):
    while (frame := peer.read()).kind == s.ACK:
        pass
    assert frame.kind == s.RESULTS, frame
    return s.read_result(frame.body)["status"]


def conclude(first, sent=SENT):
    """When all blocks are acknowledged."""
    first.send(sent.end, s.fin_of([sent]))
    out = s.up_to_verdict(first, [sent])
    first.send(s.bye(out["status"]))
    return out


def fails(first):
    """The entry failed with this status, and the session ends with it."""
    status = result(first)
    first.send(s.fin(1))
    while (frame := first.read()).kind == s.ACK:
        pass
    assert s.read_verdict(frame.body)["status"] == status
    first.send(s.bye(status))
    return status


def arrived(run):
    """What the command has got so far."""
    try:
        with open(os.path.join(run.dst, "f"), "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "never true"
        time.sleep(0.01)


@test
def a_damaged_block_is_mended_before_it_or_what_follows_is_seen():
    with receiver() as run:
        first, = begin(run)
        first.send(block(0), s.data(1, s.MIB, bytes(s.MIB)), s.digest(1, s.MIB, PIECES[1]), block(2))
        acknowledged(first, 0)
        frame = first.read()
        assert (frame.kind, frame.offset) == (s.RETRY, s.MIB), frame
        acknowledged(first, 2)
        until(lambda: arrived(run) == PIECES[0])
        first.send(block(1, s.RESENT))
        acknowledged(first, 1)
        assert conclude(first)["retransmitted"] == 1
        run.expect(0, files={"f": CONTENT, "end": b""})
        first.close()


@test
def blocks_in_any_order_come_out_in_theirs():
    with receiver() as run:
        first, one, two = begin(run, 3)
        two.send(block(2))
        two.expect(s.ACK)
        first.send(block(1))
        acknowledged(first, 1)
        assert arrived(run) == b""
        one.send(block(0))
        one.expect(s.ACK)
        until(lambda: arrived(run) == CONTENT)
        for peer in (one, two):
            peer.send(s.bye())
            peer.end_sending()
        assert not conclude(first)["durable"]
        run.expect(0, files={"f": CONTENT, "end": b""})


@cases([("the same", None), ("other content", bytes(s.MIB)), ("shorter", PIECES[0][:-1])])
def a_block_that_was_handed_on_comes_again_after_a_loss(content):
    """It is dropped, whatever it is now; the sender hears which copy counts."""
    with receiver() as run:
        first, one, two = begin(run, 3)
        one.send(block(0))
        one.expect(s.ACK)
        until(lambda: arrived(run) == PIECES[0])
        one.reset()
        shown = PIECES[0] if content is None else content
        two.send(s.data(1, 0, shown.ljust(s.MIB, b"x"), s.attempt(1)), s.digest(1, 0, shown))
        frame = two.expect(s.ACK)
        assert s.message(s.ACK, frame.body, 1, 0) == s.ack(1, 0, PIECES[0]), frame
        first.send(block(1), block(2))
        acknowledged(first, 1, 2)
        two.send(s.bye())
        two.end_sending()
        conclude(first)
        run.expect(0, files={"f": CONTENT, "end": b""})


@test
def a_lost_connection_is_not_seen_by_the_command():
    """The first one, in the middle of a block; another one brings the rest."""
    with receiver() as run:
        first, = begin(run)
        first.said = [SENT.announce]
        first.send(block(0), block(1)[:s.MIB // 2])
        acknowledged(first, 0)
        first.reset()
        first = s.connect(run.port, s.SENDER).again(first)
        first.send(block(1, s.attempt(1)), block(2))
        acknowledged(first, 1, 2)
        assert CONTENT.startswith(arrived(run))  # of how much the command has taken, nobody knows
        conclude(first)
        run.expect(0, files={"f": CONTENT, "end": b""})
        assert run.summary()["reconnects"] == 1


@cases([("damaged always", lambda peer: [peer.send(s.data(1, 0, PIECES[0], flags), s.digest(1, 0, PIECES[0], value=bytes(16)))
                                         for flags in (0, s.RESENT, s.RESENT, s.RESENT)], s.INTEGRITY, b""),
        ("wrong sums", lambda peer: peer.send(block(0), block(1), block(2), s.end(1, SIZE)), s.INTEGRITY, CONTENT),
        ("given up by the sender", lambda peer: peer.send(block(0), s.end(1, s.MIB, failure=s.FILE_IO)),
         s.FILE_IO, PIECES[0])])
def an_entry_that_fails_is_no_clean_end_for_the_command(script, status, came):
    with receiver() as run:
        first, = begin(run)
        script(first)
        while (frame := first.read()).kind != s.RESULTS:
            assert frame.kind in (s.RETRY, s.ACK), frame
        assert s.read_result(frame.body)["status"] == status
        first.send(s.fin(1))
        while (frame := first.read()).kind == s.ACK:
            pass
        assert s.read_verdict(frame.body)["status"] == status
        first.send(s.bye(status))
        run.finish()
        # What it got is a part, from the begin; it was not told that this is all.
        assert came.startswith(arrived(run))
        assert "dst/end" not in run.tree(), run.describe()
        run.expect(status)


@test
def a_session_that_is_lost_for_good_is_no_clean_end_either():
    with receiver("cat >parent/dst/f; touch parent/dst/end", "--timeout=1") as run:
        first, = begin(run)
        first.send(block(0), block(1), block(2))
        acknowledged(first, 0, 1, 2)
        first.close()
        run.expect(s.NETWORK, "not made again within 1 s")
        assert "dst/end" not in run.tree()
@test
def a_command_that_leaves_is_noticed_while_the_sender_says_nothing():
    with receiver("true") as run:
        first, = begin(run)
        first.send(block(0))
        assert fails(first) == s.COMMAND_FAILED
        run.expect(s.COMMAND_FAILED, "ended before it had taken everything")


@test
def what_fills_a_gap_is_let_in_behind_more_than_the_window():
    """The front block is lost with its connection; by then more than the window has been sent over the other."""
    content = b"\0" * (80 * s.MIB)
    sent = s.Sent(1, "f", content)
    with receiver() as run:
        first, one = begin(run, 2, sent)
        one.send(sent.blocks[0][:s.MIB // 2])
        one.reset()
        for piece in sent.blocks[1:]:
            first.send(piece)
        first.send(s.block(1, 0, content[:s.MIB], s.attempt(1)))
        s.collect_acks(first, 1, [at for at, _ in sent.cuts])
        conclude(first, sent)
        run.expect(0)
        assert arrived(run) == content


@test
def a_sender_that_says_it_takes_a_pipe():
    with receiver() as run:
        peer = s.connect(run.port, s.SENDER)
        try:
            peer.meet(flags=s.TO_PIPE)
            peer.send(SENT.announce)
            frame = peer.expect(s.ERROR)
            assert s.read_error(frame.body)["status"] == s.PROTOCOL
        except (s.Closed, s.Told):
            pass
        peer.close()
        run.expect(s.PROTOCOL, "a sender that takes a pipe", files={})


main()
