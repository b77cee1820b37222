"""Whoever else comes while a connection is replaced: strangers, liars with the key, attempts that break off."""
import contextlib
import os
import socket
import threading

import speaker as s
from harness import cases, main, test, within
from switching import CONTENT, KEY, ONE, Session, conclude

OTHER = s.Key()
QUICK = ["--timeout", "2"]


def garbage(session):
    peer = s.connect(session.run.port, s.SENDER)
    peer.send(os.urandom(100))
    return peer


def another_key(session):
    peer = s.connect(session.run.port, s.SENDER)
    peer.exchange_prefaces(no_auth=False)
    assert not peer.authenticate(OTHER)
    peer.end_sending()
    return peer


def no_key(session):
    peer = s.connect(session.run.port, s.SENDER)
    assert peer.exchange_prefaces(no_auth=True)[14] == 5
    return peer


def same_role(session):
    peer = s.connect(session.run.port, s.RECEIVER)
    assert peer.exchange_prefaces(no_auth=False)[14] == 3
    return peer


def says(frames):
    """A stranger who has the key: what it says instead of the right JOIN, from (prefaces, session)."""
    def stranger(session):
        peer = s.connect(session.run.port, s.SENDER)
        peer.exchange_prefaces(no_auth=False)
        assert peer.authenticate(KEY)
        peer.send(frames(peer.prefaces, session))
        peer.end_sending()
        return peer
    return stranger


def flipped(preface):
    return preface[:-1] + bytes([preface[-1] ^ 1])


STRANGERS = [
    ("garbage", garbage), ("another key", another_key), ("no key", no_key), ("the same role", same_role),
    ("another session", says(lambda p, x: s.join(p, os.urandom(16), 1 << 16))),
    ("index 0", says(lambda p, x: s.join(p, x.id, 0))),
    ("index 2", says(lambda p, x: s.join(p, x.id, 2 << 16))),
    ("connector's preface changed", says(lambda p, x: s.join([flipped(p[0]), p[1]], x.id, 1 << 16))),
    ("listener's preface changed", says(lambda p, x: s.join([p[0], flipped(p[1])], x.id, 1 << 16))),
    ("HELLO", says(lambda p, x: s.message(s.HELLO, s.terms(p, sources=1, session=x.id)))),
    ("ERROR", says(lambda p, x: s.error(6, b"x"))),
    ("JOIN cut", says(lambda p, x: s.join(p, x.id, 1 << 16)[:-1])),
    ("JOIN too long", says(lambda p, x: s.message(s.JOIN, b"".join(p) + x.id + bytes(5)))),
    ("nothing", says(lambda p, x: b"")),
]


@cases(STRANGERS)
def a_stranger_first(stranger):
    """It is dropped without an answer that means anything, and the right one is still waited for."""
    with Session("listens", key=KEY) as session:
        session.peer.send(*ONE.frames()[:2])
        late = session.peer.end_by_switch()
        intruder = stranger(session)
        assert s.JOIN not in [f.kind for f in intruder_frames(intruder)]
        session.index += 1
        session.peer = session.fresh().join(session.id, session.index, KEY)
        session.peer.send(*ONE.frames()[2:])
        conclude(session, [ONE], late)
        session.run.expect(0, files={"f": CONTENT})
        intruder.close()


def intruder_frames(intruder):
    try:
        return intruder.hear()
    except AssertionError:
        return []  # a refusal is no frame


@test
def many_strangers_who_come_and_go():
    with Session("listens", key=KEY) as session:
        session.peer.end_by_switch()
        for _ in range(50):
            socket.create_connection(("127.0.0.1", session.run.port), 10).close()
        session.index += 1
        session.peer = session.fresh().join(session.id, session.index, KEY)
        session.finish()


@test
def an_attempt_of_our_own_that_was_lost():
    """A connector whose first attempt breaks off comes again with the same index."""
    with Session("listens", key=KEY) as session:
        session.peer.end_by_switch()
        first = session.fresh()
        first.exchange_prefaces(no_auth=False)
        first.reset()
        session.index += 1
        session.peer = session.fresh().join(session.id, session.index, KEY)
        session.finish()


@cases([("closes at once", lambda peer: peer.close()), ("resets", lambda peer: peer.reset()),
        ("closes after the preface", lambda peer: (peer.receive(24), peer.close()))])
def an_answer_that_was_lost(fault):
    """The program connects again when what it reached breaks off."""
    with Session("connects", key=KEY) as session:
        session.peer.end_by_switch()
        fault(session.fresh())
        session.index += 1
        while True:  # it may have tried more than once
            try:
                session.peer = session.fresh().join(session.id, session.index, KEY)
                break
            except s.Closed:
                pass
        session.finish()


@cases([("another key", lambda peer, x: peer.join(x.id, 1, OTHER), s.AUTH, "another key"),
        ("another session", lambda peer, x: answer(peer, lambda p: s.join(p, os.urandom(16), 1 << 16)),
         s.PROTOCOL, "another session or connection"),
        ("another index", lambda peer, x: answer(peer, lambda p: s.join(p, x.id, 2 << 16)),
         s.PROTOCOL, "another session or connection"),
        ("another preface", lambda peer, x: answer(peer, lambda p: s.join([p[0], flipped(p[1])], x.id, 1 << 16)),
         s.AUTH, "the preface was changed"),
        ("WELCOME", lambda peer, x: answer(peer, lambda p: s.message(s.WELCOME, s.terms(p, session=x.id))),
         s.PROTOCOL, "peer sent WELCOME")])
def the_listener_is_another(lie, status, words):
    with Session("connects", *QUICK, key=KEY) as session:
        session.peer.send(*ONE.frames()[:2])
        session.peer.end_by_switch()
        peer = session.fresh()
        with contextlib.suppress(s.Closed, AssertionError):
            lie(peer, session)
        peer.end_sending()
        session.run.expect(status, words, files={})
        peer.close()


def answer(peer, frame):
    peer.exchange_prefaces(no_auth=False)
    assert peer.authenticate(KEY)
    peer.expect(s.JOIN)
    peer.send(frame(peer.prefaces))
    peer.drain()


@test
def a_slow_stranger_is_cut_off():
    """One byte now and then does not outlast the time-out."""
    soon = within(20)
    with Session("listens", *QUICK, key=KEY) as session:
        session.peer.end_by_switch()
        stranger, ended = session.fresh(), threading.Event()

        def drip():
            for byte in s.preface(s.SENDER):
                stranger.send(bytes([byte]))
                if ended.wait(0.5):
                    return
        thread = threading.Thread(target=drip)
        thread.start()
        session.run.expect(s.TIMEOUT, "did not connect again", files={})
        ended.set()
        thread.join()
        stranger.close()
    soon()


if __name__ == "__main__":
    main()
