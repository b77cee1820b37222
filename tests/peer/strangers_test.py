"""Whoever else comes during a session: strangers, liars with the key, attempts that break off. They are turned away,
and cost the session nothing: not while its connection stands, and not while it is made again."""
import contextlib
import os
import socket
import threading
import time

import speaker as s
from harness import Run, ZSEND, cases, main, test, within
from reconnecting import CONTENT, KEY, ONE, Session

OTHER = s.Key()


def first_bytes(raw):
    def stranger(session):
        peer = s.connect(session.run.port, s.SENDER)
        peer.send(raw)
        return peer
    return stranger


def refused(code, mine):
    def stranger(session):
        peer = s.connect(session.run.port, s.SENDER)
        assert peer.exchange_prefaces(mine)[14] == code
        return peer
    return stranger


def another_key(session):
    peer = s.connect(session.run.port, s.SENDER)
    peer.exchange_prefaces(no_auth=False, join=True)
    assert not peer.authenticate(OTHER)
    peer.end_sending()
    return peer


def says(frames, key=KEY):
    """A stranger who has the key: what it says instead of the right JOIN, from (prefaces, session)."""
    def stranger(session):
        peer = s.connect(session.run.port, s.SENDER)
        peer.prove(key, join=True)
        peer.send(frames(peer.prefaces, session))
        peer.end_sending()
        return peer
    return stranger


def flipped(preface):
    return preface[:-1] + bytes([preface[-1] ^ 1])


def preface(**changes):
    return s.preface(changes.pop("role", s.SENDER), join=changes.pop("join", True), **changes)


# name, stranger, words on stderr
STRANGERS = [
    ("HTTP", first_bytes(b"GET / HTTP/1.1\r\n\r\n"), "wrong magic"),
    ("garbage", first_bytes(b"\x89" + bytes(100)), "wrong magic"),
    ("somebody who begins a session", refused(s.BUSY, preface(join=False)), "another transfer has it"),
    ("somebody who begins one without a key", refused(s.BUSY, preface(join=False, no_auth=True)),
     "another transfer has it"),
    ("somebody who begins one with TLS", refused(s.BUSY, preface(join=False, mode=s.TLS_PSK)),
     "another transfer has it"),
    ("a later version", refused(1, preface(lowest=s.VERSION + 1, highest=9)), "no common protocol version"),
    ("no key", refused(5, preface(no_auth=True)), "only the peer has --no-auth"),
    ("the same role", refused(3, preface(role=s.RECEIVER)), "is a receiver too"),
    ("another mode", refused(2, preface(mode=s.TLS_PSK)), "the peer asks for encryption"),
    ("another key", another_key, "not authenticated"),
    ("another session", says(lambda p, x: s.join(p, os.urandom(16))), "not expected"),
    ("stream 1", says(lambda p, x: s.join(p, x.id, 1)), "not expected"),
    ("stream 65535", says(lambda p, x: s.join(p, x.id, 65535)), "not expected"),
    ("connector's preface changed", says(lambda p, x: s.join([flipped(p[0]), p[1]], x.id)), "preface was changed"),
    ("listener's preface changed", says(lambda p, x: s.join([p[0], flipped(p[1])], x.id)), "preface was changed"),
    ("HELLO", says(lambda p, x: s.message(s.HELLO, s.terms(p, session=x.id))), "instead of JOIN"),
    ("ENTRY", says(lambda p, x: ONE.announce), "instead of JOIN"),
    ("ERROR", says(lambda p, x: s.error(6, b"wo\x1brds")), "wo\\x1brds"),
    ("JOIN cut", says(lambda p, x: s.join(p, x.id)[:-1]), "the connection ended"),
    ("JOIN too long", says(lambda p, x: s.message(s.JOIN, b"".join(p) + x.id + bytes(23))), "1 bytes too many"),
    ("nothing", says(lambda p, x: b""), "the connection ended"),
]


def frames_of(stranger):
    """What it was told, up to the end of its connection."""
    try:
        return [f.kind for f in stranger.hear()]
    except AssertionError:
        return []  # no frames


@cases([(f"{name}, {when}", stranger, words, when) for name, stranger, words in STRANGERS
        for when in ("while it stands", "while it is made again")])
def a_stranger_comes(stranger, words, when):
    """It is dropped without an answer that means anything, and a line says so. The session goes on."""
    with Session("listens", "-v", key=KEY) as session:
        session.peer.say(ONE.announce)
        session.send_block(1, *ONE.cuts[0])
        session.collect()
        if when != "while it stands":
            lost = session.peer
            lost.close()
            session.run.says("connection lost")
        intruder = stranger(session)
        assert not frames_of(intruder)
        session.run.says("turned away", words)
        if when != "while it stands":
            session.peer = session.fresh().again(lost)
            session.losses = 1
        session.finish(first=1)
        intruder.close()


@test
def a_join_with_an_old_generation():
    """What an attempt before this one sends late ends nothing; a higher number than the next one is as good."""
    with Session("listens", key=KEY) as session:
        session.lose()
        session.lose()
        assert session.peer.generation == 2
        for generation in (0, 1, 2):
            peer = session.fresh().prove(KEY, join=True)
            peer.send(s.join(peer.prefaces, session.id, 0, generation))
            assert frames_of(peer) == []
            peer.close()
        session.run.says("turned away", "not expected")
        lost = session.peer
        lost.close()
        session.peer = session.fresh().again(lost, 1000)
        peer = session.fresh().prove(KEY, join=True)
        peer.send(s.join(peer.prefaces, session.id, 0, 999))
        assert frames_of(peer) == []
        peer.close()
        session.losses += 1
        session.lose("reset")
        assert session.peer.generation == 1001
        session.finish()


@test
def who_knows_key_and_session_takes_the_connection_over():
    """That is the fencing: the old connection is shut down, in the middle of whatever it is."""
    with Session("listens", key=KEY) as session:
        session.peer.say(ONE.announce)
        session.peer.send(ONE.blocks[0][:1000])
        session.waiting[1, 0] = ONE.cuts[0][1], 0
        session.lose("still open")
        session.finish(first=1)


@test
def many_strangers_who_come_and_go():
    with Session("listens", key=KEY) as session:
        session.peer.say(ONE.announce)
        for _ in range(200):
            socket.create_connection(("127.0.0.1", session.run.port), 10).close()
        for at, content in ONE.cuts:
            session.send_block(1, at, content)
        session.lose()
        session.finish(first=len(ONE.cuts))


@test
def many_silent_strangers():
    """Each costs a descriptor, and the oldest goes first; they are not in the way of the right one."""
    with Session("listens", key=KEY) as session:
        before = len(os.listdir(f"/proc/{session.run.process.pid}/fd"))
        silent = [socket.create_connection(("127.0.0.1", session.run.port), 10) for _ in range(100)]
        session.lose()
        assert len(os.listdir(f"/proc/{session.run.process.pid}/fd")) < before + 60
        silent[0].settimeout(10)
        assert silent[0].recv(1) == b""
        session.finish()
        for one in silent:
            one.close()


@test
def strangers_who_begin_and_say_no_more():
    """As many as are served at a time, each in the middle of its preface: the right one waits for 3 s at most."""
    soon = within(20)
    with Session("listens", key=KEY) as session:
        slow = [s.connect(session.run.port, s.SENDER) for _ in range(16)]
        for one in slow:
            one.send(s.preface(s.SENDER, join=True)[:10])
        time.sleep(0.3)
        session.lose()
        session.finish()
        for one in slow:
            one.close()
    soon()


@test
def a_slow_stranger_is_cut_off():
    """One byte now and then does not outlast the time-out."""
    soon = within(20)
    with Session("listens", "--timeout=4", key=KEY) as session:
        session.peer.close()
        stranger, ended = session.fresh(), threading.Event()

        def drip():
            for byte in s.preface(s.SENDER, join=True):
                stranger.send(bytes([byte]))
                if ended.wait(0.5):
                    return
        thread = threading.Thread(target=drip)
        thread.start()
        session.run.expect(s.NETWORK, "turned away", "timed out during the handshake", "not made again within 4 s",
                           files={})
        ended.set()
        thread.join()
        stranger.close()
    soon()


@test
def a_flood_of_wrong_keys_is_one_line_a_second():
    with Session("listens", key=KEY) as session:
        for _ in range(50):
            peer = another_key(session)
            peer.drain()
            peer.close()
        session.finish()
        lines = [line for line in session.run.lines if b"turned away" in line]
        assert 1 <= len(lines) <= 15, len(lines)


@test
def strangers_at_a_listening_sender():
    """Before its session and during it."""
    with Run() as run:
        # -v: each has a line, also of two within a second.
        run.start(ZSEND, "-v", "--listen", "127.0.0.1:0", "--plain", run.write("f", b"content"), key=KEY)
        run.wait_listening()

        def intrude(join, code):
            one = s.connect(run.port, s.RECEIVER)
            one.send(b"SSH-2.0-x\r\n")
            assert one.drain() == b""
            one.close()
            two = s.connect(run.port, s.RECEIVER)
            assert two.exchange_prefaces(s.preface(s.RECEIVER, no_auth=True, join=join))[14] == code
            two.close()
        intrude(False, 5)
        peer = s.connect(run.port, s.RECEIVER)
        peer.meet(KEY)
        intrude(False, s.BUSY)
        intrude(True, 5)
        assert [g[:2] for g in s.receive_files(peer)] == [([b"f"], b"content")]
        run.expect(0, "turned away", "wrong magic", files={})
        assert sum(b"turned away" in line for line in run.lines) == 6, run.lines
        peer.close()


@cases([("another key", lambda peer, x: answer(peer, x, key=OTHER), s.AUTH, "another key"),
        ("another session", lambda peer, x: answer(peer, x, lambda p, t: s.join(p, os.urandom(16), 0, t["generation"])),
         s.PROTOCOL, "another session or connection"),
        ("another stream", lambda peer, x: answer(peer, x, lambda p, t: s.join(p, x.id, 1, t["generation"])),
         s.PROTOCOL, "another session or connection"),
        ("another generation", lambda peer, x: answer(peer, x, lambda p, t: s.join(p, x.id, 0, t["generation"] + 1)),
         s.PROTOCOL, "another session or connection"),
        ("another preface", lambda peer, x: answer(
            peer, x, lambda p, t: s.join([p[0], flipped(p[1])], x.id, 0, t["generation"])),
         s.AUTH, "the preface was changed"),
        ("WELCOME", lambda peer, x: answer(peer, x, lambda p, t: s.message(s.WELCOME, s.terms(p, session=x.id))),
         s.PROTOCOL, "peer sent WELCOME"),
        ("an answer that does not join", lambda peer, x: peer.exchange_prefaces(s.preface(s.SENDER)),
         s.PROTOCOL, "does not fit"),
        ("no key", lambda peer, x: peer.exchange_prefaces(s.preface(s.SENDER, no_auth=True, join=True)),
         s.PROTOCOL, "does not fit")])
def the_listener_is_another(lie, status, words):
    """Who connects again and finds somebody else ends: whoever listens there has no part in this."""
    with Session("connects", "--timeout=5", key=KEY) as session:
        session.peer.say(ONE.announce)
        session.peer.send(ONE.blocks[0])
        session.peer.close()
        peer = session.fresh()
        with contextlib.suppress(s.Closed, AssertionError):
            lie(peer, session)
        peer.end_sending()
        session.run.expect(status, words, files={})
        peer.close()


def answer(peer, session, frame=None, key=KEY):
    peer.exchange_prefaces(no_auth=False, join=True)
    assert peer.authenticate(key)
    theirs = s.read_join(peer.expect(s.JOIN).body)
    peer.send(frame(peer.prefaces, theirs))
    peer.drain()


# --- further connections

@cases([("another session", {"session": bytes(16)}, 1, 1), ("a stream that was not agreed", {}, 2, 1),
        ("stream 65535", {}, 65535, 1)])
def a_stranger_who_joins_beside(options, stream, generation):
    with Session("listens") as session:
        first = session.peer
        first.say(s.streams(2))
        first.expect(s.STREAMS)
        stranger = s.connect(session.run.port, s.SENDER)
        with contextlib.suppress(s.Closed):
            stranger.join_stream(first, stream, generation, **options)
            raise AssertionError("joined")
        one = s.connect(session.run.port, s.SENDER).join_stream(first, 1)
        stranger.close()
        # The same once more is late.
        again = s.connect(session.run.port, s.SENDER)
        with contextlib.suppress(s.Closed):
            again.join_stream(first, 1)
            raise AssertionError("joined")
        again.close()
        first.say(ONE.announce)
        one.send(*ONE.blocks)
        s.collect_acks(one, 1, [at for at, _ in ONE.cuts])
        one.send(s.bye())
        one.end_sending()
        first.say(ONE.end)
        session.conclude([ONE])
        session.run.expect(0, "turned away", files={"f": CONTENT})
        summary = session.run.summary()
        assert (summary["streams"], summary["streams_lost"]) == (2, 0), summary
        one.close()


if __name__ == "__main__":
    main()
