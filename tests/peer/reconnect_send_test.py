"""The first connection of a session with a zsend is lost and made again, and one whose key is worn is replaced: what has no
ACK comes again, what was not counted too."""
import fcntl
import os
import struct
import termios
import time

import speaker as s
from harness import cases, hostile_sender, main, test, zsend_to
from reconnecting import FORMS, Receiver, TlsSession, make_certificate, peeked, until


BIG = os.urandom(2 * s.MIB + 100)


def waiting(peer):
    """Bytes that it has not read."""
    return struct.unpack("i", fcntl.ioctl(peer.socket, termios.FIONREAD, bytes(4)))[0]


PIECES = [(at, BIG[at:at + s.MIB]) for at in range(0, len(BIG), s.MIB)]


@cases([(f"{form}, {how}", form, how) for form in FORMS for how in ("reset", "end", "still open")])
def zsend_sends_again_what_has_no_ack(form, how):
    """One loss after the first block, which has its ACK, and one after all of them, which have none."""
    if form == "connects" and how == "still open":
        return
    with Receiver(form, BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        first = receiver.block()
        assert (first.offset, first.flags) == (0, 0)
        receiver.lose(how)
        got = sorted((receiver.block() for _ in PIECES), key=lambda d: d.offset)
        assert [(d.offset, d.body) for d in got] == PIECES
        assert got[0].flags == s.attempt(1), got[0].flags
        receiver.lose(how)
        again = sorted((receiver.block() for _ in PIECES), key=lambda d: d.offset)
        assert [(d.offset, d.body) for d in again] == PIECES
        assert [a.flags - g.flags for a, g in zip(again, got)] == [s.attempt(1)] * 3
        receiver.peer.send(*[s.ack(1, d.offset) for d in again])
        receiver.conclude(PIECES, receiver.peer.expect(s.END))


@cases([(form, form) for form in FORMS])
def what_is_told_again_is_not_sent_again(form):
    """An ACK was sent, and lost with the connection. Until it has come again nothing is sent."""
    with Receiver(form, BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        for _ in PIECES:
            receiver.block()
        lost = receiver.peer
        lost.acks_said.append(s.ack(1, s.MIB))
        lost.reset()
        receiver.losses += 1
        receiver.peer = receiver.fresh().again(lost, tell=False)
        assert receiver.peer.retold == 1
        for _ in range(2):
            assert receiver.peer.read(optional_too=True).kind == s.HEARTBEAT
        receiver.peer.first = False  # it is not a new one
        receiver.peer.send(s.ack(1, s.MIB))
        receiver.peer.first = True
        got = [receiver.block() for _ in PIECES[1:]]
        assert sorted(d.offset for d in got) == [0, 2 * s.MIB], got
        receiver.peer.send(*[s.ack(1, d.offset) for d in got])
        receiver.conclude(PIECES, receiver.peer.expect(s.END))


@cases([("gone back", lambda acks: acks - 1), ("more than can be on their way", lambda acks: acks + 4097)])
def a_count_of_acks_that_cannot_be(count):
    with Receiver("connects", BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        receiver.peer.send(*[s.ack(1, receiver.block().offset) for _ in PIECES])
        receiver.peer.expect(s.END)  # it has taken them
        lost = receiver.peer
        lost.reset()
        peer = receiver.fresh()
        peer.prove(lost.key, join=True)
        theirs = peer.exchange_joins(lost.session, None, None, lost.taken, count(3))
        assert theirs["acks"] == 3, theirs
        receiver.run.expect(s.PROTOCOL, "ACKs")


@test
def an_ack_counts_that_came_before_a_loss():
    """zsend cannot have read it: it waited for the receiver to take more, and then the connection was reset."""
    content = os.urandom(24 * s.MIB)
    with Receiver("connects", content) as receiver:
        receiver.peer.expect(s.ENTRY)
        assert receiver.block().offset == 0
        stuck = lambda: (before := waiting(receiver.peer)) > 0 and not time.sleep(0.1) and waiting(receiver.peer) == before
        until(stuck)
        receiver.peer.send(s.ack(1, 0))
        receiver.lose("reset")
        rest = [receiver.block() for _ in range(23)]
        assert sorted(d.offset for d in rest) == [at * s.MIB for at in range(1, 24)], [d.offset for d in rest]
        receiver.peer.send(*[s.ack(1, d.offset) for d in rest])
        receiver.conclude([(at, content[at:at + s.MIB]) for at in range(0, len(content), s.MIB)],
                          receiver.peer.expect(s.END))


@test
def zsend_takes_the_copy_that_is_kept():
    """The file has changed before the block came again; the copy that arrived first is the one of the sums."""
    with Receiver("connects", BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        got = [receiver.block() for _ in PIECES]
        with open(receiver.source, "r+b") as f:
            f.write(bytes(1000))
        receiver.lose()
        again = [receiver.block() for _ in PIECES]
        assert [d.offset for d in again] == [d.offset for d in got] and again[0].body != got[0].body
        receiver.peer.send(s.ack(1, 0, got[0].body), s.ack(1, s.MIB), s.ack(1, 2 * s.MIB, got[2].body))
        info = receiver.conclude(PIECES, receiver.peer.expect(s.END))
        assert info["changed"]


@test
def zsend_takes_the_new_copy_else():
    with Receiver("connects", BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        [receiver.block() for _ in PIECES]
        with open(receiver.source, "r+b") as f:
            f.write(bytes(1000))
        receiver.lose()
        again = [receiver.block() for _ in PIECES]
        receiver.peer.send(*[s.ack(1, d.offset) for d in again])
        assert receiver.conclude([(d.offset, d.body) for d in again], receiver.peer.expect(s.END))["changed"]


@test
def zsend_leaves_out_what_is_behind_a_cut():
    """The file was cut before a block came again; the receiver keeps what has come behind that."""
    with Receiver("connects", BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        got = [receiver.block() for _ in PIECES]
        os.truncate(receiver.source, s.MIB + 30)
        receiver.lose()
        for at, size in (0, s.MIB), (s.MIB, 30), (2 * s.MIB, 0):
            assert receiver.peer.expect(s.DATA).offset == at
            assert receiver.peer.expect(s.DIGEST).body[:4] == size.to_bytes(4, "big")
        receiver.peer.send(s.ack(1, 0), s.ack(1, s.MIB), s.ack(1, 2 * s.MIB, got[2].body))
        pieces = [PIECES[0], (s.MIB, BIG[s.MIB:s.MIB + 30])]
        assert receiver.conclude(pieces, receiver.peer.expect(s.END))["changed"]


@cases([(form, form) for form in FORMS])
def what_zsend_says_comes_again(form):
    """ENTRY, END and FIN, which were not taken; a small file comes whole."""
    content = BIG[:1000]
    with Receiver(form, content) as receiver:
        peer = receiver.peer
        for _ in range(3):
            kinds = [receiver.peer.read().kind for _ in range(4)]
            # Messages first, then the blocks.
            assert sorted(kinds) == sorted([s.ENTRY, s.DATA, s.DIGEST, s.END]), kinds
            assert kinds == ([s.ENTRY, s.DATA, s.DIGEST, s.END] if peer is receiver.peer
                             else [s.ENTRY, s.END, s.DATA, s.DIGEST]), kinds
            receiver.lose(taken=0)
        receiver.peer.expect(s.ENTRY)
        end = receiver.peer.expect(s.END)
        data = receiver.block()
        assert data.flags == s.attempt(3)
        receiver.peer.send(s.ack(1, 0))
        assert receiver.peer.expect(s.FIN)
        receiver.lose(taken=2)  # FIN is not taken
        receiver.conclude([(0, content)], end)


@cases([(form, form) for form in FORMS])
def bye_comes_again(form):
    """The connection is lost just when all is said."""
    with Receiver(form, BIG[:1000]) as receiver:
        receiver.peer.expect(s.ENTRY)
        receiver.block()
        end = receiver.peer.expect(s.END)
        receiver.peer.send(s.ack(1, 0))

        def lose():
            until(lambda: s.BYE in peeked(receiver.peer))
            receiver.lose()
            receiver.losses -= 1  # all is committed: this one is not worth a word
        receiver.conclude([(0, BIG[:1000])], end, lose)


@test
def results_that_were_lost_on_their_way_come_once():
    """The receiver says them again because zsend has not counted them."""
    with Receiver("connects", BIG[:1000]) as receiver:
        receiver.peer.expect(s.ENTRY)
        receiver.block()
        end = receiver.peer.expect(s.END)
        receiver.peer.send(s.ack(1, 0))
        receiver.peer.said.append(s.result(1))  # said, but lost
        receiver.lose()
        assert receiver.peer.they_took == 0
        info = s.read_end(end.body)
        receiver.peer.expect(s.FIN)
        receiver.peer.say(s.verdict(1, 1000, s.digest_sum([s.entry_part(1, 1000, info["sum"])])))
        receiver.peer.expect(s.BYE)
        receiver.peer.end_sending()
        receiver.run.expect(0, files={})


# --- a key that is worn


@test
def the_key_of_the_next_connection_is_not_the_certificates():
    """zsend ends the connection when all blocks have their ACK, connects again, asks for mode tls-psk with the same
    suite, and names no key that could link it."""
    with TlsSession("--timeout=2") as session:
        session.peer.expect(s.ENTRY)
        data = session.peer.expect(s.DATA)
        session.peer.expect(s.DIGEST)
        assert session.peer.read(optional_too=True).kind == s.HEARTBEAT  # not before the ACK
        session.peer.send(s.ack(1, data.offset))
        assert session.peer.hear() == []
        again = session.listener.accept(s.RECEIVER)
        preface = again.receive(24)
        assert preface[:8] == s.MAGIC and preface[10:14] == bytes([s.TLS_PSK, s.SENDER, 2, 1]), preface
        assert preface[16:] != session.peer.prefaces[0][16:]
        session.listener.close()
        again.close()
        session.run.expect((s.NETWORK, s.TIMEOUT), "error: ", files={})


@cases([("ERROR", s.error(7, b"full\x1b[2J"), s.NO_SPACE, "peer: "),
        ("DATA", s.data(1, 0, b"x" * 1000), s.PROTOCOL, "peer sent DATA"),
        ("RETRY for ever", s.retry(1, 0, s.MIB) * 4, s.PROTOCOL, "too often"),
        ("random bytes", os.urandom(4096), s.PROTOCOL, "check")])
def instead_of_the_ack(frames, status, words):
    with TlsSession("--timeout=5") as session:
        session.peer.expect(s.ENTRY)
        session.peer.expect(s.DATA)
        session.peer.expect(s.DIGEST)
        session.peer.send(frames)
        session.peer.hear()
        session.run.expect(status, words, files={})


@test
def join_instead_of_the_terms():
    for form in ("zrecv", "zsend"):
        if form == "zrecv":
            hostile_sender(lambda peer: peer.send(s.join(peer.prefaces, os.urandom(16))), s.PROTOCOL, "peer sent JOIN")
            continue
        listener = s.Listener()
        with zsend_to(listener, [("f", b"content")]) as run:
            peer = listener.accept(s.RECEIVER)
            peer.exchange_prefaces()
            hello = s.read_terms(peer.expect(s.HELLO).body)
            peer.send(s.join(peer.prefaces, hello["session"]))
            assert [f.kind for f in peer.hear()] == [s.ERROR]
            run.expect(s.PROTOCOL, "peer sent JOIN", files={})
            peer.close()
        listener.close()


if __name__ == "__main__":
    make_certificate()
    main()
