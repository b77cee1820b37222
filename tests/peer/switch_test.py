"""A connection that is replaced (SWITCH, JOIN): at each moment, by strangers and by liars.

Plain mode, in which zrecv answers a SWITCH as in TLS. Sessions run in both forms: "listens" is a zrecv that
waits and is connected to again, "connects" is one that connects again.
"""
import contextlib
import os
import socket
import threading
import time

import speaker as s
from harness import ZRECV, Run, cases, hostile_receiver, hostile_sender, main, test, within, zrecv

KEY, OTHER = s.Key(), s.Key()
CONTENT = os.urandom(3 * s.MIB + 17)
FORMS = ("listens", "connects")
QUICK = ["--timeout", "2"]


class Session:
    """A good session up to WELCOME, with the program in one of the two forms."""

    def __init__(self, form, *options, key=None, sources=1):
        self.form, self.key, self.index = form, key, 0
        self.listener = None
        if form == "listens":
            self.run = zrecv(*options, key=key)
            self.peer = s.connect(self.run.port, s.SENDER)
        else:
            self.listener = s.Listener()
            self.run = Run()
            security = ["--plain"] + (["--no-auth"] if key is None else [])
            self.run.start(ZRECV, *security, *options, f"zs://127.0.0.1:{self.listener.port}",
                           self.run.dst, key=key)
            self.peer = self.listener.accept(s.SENDER)
        self.id = os.urandom(16)
        if form == "listens":
            self.peer.meet(key, sources=sources, session=self.id)
        else:
            self.id = self.peer.meet(key, sources=sources)["session"]

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.peer.close()
        if self.listener:
            self.listener.close()
        self.run.__exit__()

    def fresh(self):
        """The next connection, whoever makes it."""
        if self.form == "listens":
            return s.connect(self.run.port, s.SENDER)
        return self.listener.accept(s.SENDER)

    def replace(self):
        """An honest switch. Returns what zrecv said before it."""
        late = self.peer.end_by_switch()
        self.index += 1
        self.peer = self.fresh().join(self.id, self.index, self.key)
        return late

    def finish(self, content=CONTENT, name="f"):
        """The whole file from here on; both sides end with 0."""
        s.send_files(self.peer, [(name, content)])
        self.peer.end_sending()
        assert self.peer.hear() == []
        self.run.expect(0, files={name: content})


def conclude(session, sent, late):
    """From the last END of [sent] to BYE."""
    wanted = {one.id for one in sent} - {f.entry for f in late if f.kind == s.RESULT}
    while wanted:
        frame = session.peer.read()
        if frame.kind == s.RESULT:
            assert s.read_result(frame.body)["status"] == 0
            wanted.remove(frame.entry)
        else:
            assert frame.kind == s.ACK, frame
    session.peer.send(s.fin_of(sent))
    assert s.read_totals(session.peer.expect(s.VERDICT).body, True)["status"] == 0
    session.peer.send(s.bye())
    session.peer.end_sending()
    assert session.peer.hear() == []


# --- honest switches

@cases([(f"{form}, {'key' if key else 'no key'}", form, key) for form in FORMS for key in (None, KEY)])
def at_each_moment(form, key):
    """Before the first ENTRY, between all frames that may be parted, before FIN, and twice in a row."""
    with Session(form, key=key, sources=2) as session:
        sent = [s.Sent(1, "f", CONTENT), s.Sent(2, "g", CONTENT[:100])]
        late = session.replace()
        for one in sent:
            for frames in one.frames():
                session.peer.send(frames)
                late += session.replace()
                late += session.replace()
        conclude(session, sent, late)
        session.run.expect(0, files={"f": CONTENT, "g": CONTENT[:100]})


@cases([(form, form) for form in FORMS])
def a_block_is_mended_over_a_switch(form):
    """The RETRY comes before zrecv's SWITCH, the block again and a second END after it."""
    with Session(form) as session:
        one = s.Sent(1, "f", CONTENT)
        broken = bytes([CONTENT[0] ^ 1]) + CONTENT[1:s.MIB]
        session.peer.send(one.announce, s.data(1, 0, broken), s.digest(1, 0, CONTENT[:s.MIB]),
                          *one.blocks[1:], one.end)
        late = session.replace()
        assert [f.kind for f in late if f.kind != s.ACK] == [s.RETRY], late
        session.peer.send(s.block(1, 0, CONTENT[:s.MIB], s.RESENT), one.end)
        conclude(session, [one], [])
        session.run.expect(0, files={"f": CONTENT})


@cases([(form, form) for form in FORMS])
def a_hundred_switches_hold_no_descriptor(form):
    with Session(form) as session:
        descriptors = []
        for _ in range(100):
            session.replace()
            descriptors.append(len(os.listdir(f"/proc/{session.run.process.pid}/fd")))
        # One more while the last one's closing is under way.
        assert max(descriptors) <= descriptors[0] + 1, descriptors
        session.finish()


@test
def strangers_are_refused_outside_a_switch():
    with Session("listens") as session:
        def refused():
            try:
                socket.create_connection(("127.0.0.1", session.run.port), 5).close()
            except ConnectionRefusedError:
                return
            raise AssertionError("a stranger was let in")
        refused()
        for _ in range(3):
            session.replace()
            # The listener is closed before JOIN is answered or just after: ask until it is.
            deadline = time.monotonic() + 10
            while True:
                try:
                    refused()
                    break
                except AssertionError:
                    assert time.monotonic() < deadline
        session.finish()


# --- SWITCH and JOIN where they do not belong

@test
def switch_instead_of_hello():
    with zrecv() as run:
        peer = s.connect(run.port, s.SENDER)
        peer.exchange_prefaces()
        peer.send(s.switch())
        assert [f.kind for f in peer.hear()] == [s.ERROR]
        peer.close()
        run.expect(s.PROTOCOL, "peer sent SWITCH", files={})


@cases([(form, form) for form in ("zrecv", "zsend")])
def join_instead_of_the_terms(form):
    if form == "zrecv":
        with zrecv() as run:
            peer = s.connect(run.port, s.SENDER)
            peer.exchange_prefaces()
            peer.send(s.join(peer.prefaces, os.urandom(16), 1))
            assert [f.kind for f in peer.hear()] == [s.ERROR]
            peer.close()
            run.expect(s.PROTOCOL, "peer sent JOIN", files={})
        return

    def script(peer):
        peer.exchange_prefaces()
        hello = s.read_terms(peer.expect(s.HELLO).body)
        peer.send(s.join(peer.prefaces, hello["session"], 1))
        assert [f.kind for f in peer.hear()] == [s.ERROR]
    hostile_receiver(script, s.PROTOCOL, "peer sent JOIN", meet=False)


ONE = s.Sent(1, "f", CONTENT)
MISPLACED = [
    ("JOIN after WELCOME", [s.join([bytes(24)] * 2, bytes(16), 1)], "peer sent JOIN"),
    ("JOIN in an entry", [*ONE.frames()[:2], s.join([bytes(24)] * 2, bytes(16), 1)], "peer sent JOIN"),
    ("SWITCH with an unknown flag", [s.message(s.SWITCH, flags=1)], "SWITCH with unknown flags"),
    ("SWITCH twice", [s.switch(), s.switch()], "something after SWITCH"),
    ("DATA after SWITCH", [*ONE.frames()[:2], s.switch(), ONE.blocks[1]], "something after SWITCH"),
    ("one byte after SWITCH", [s.switch(), b"x"], "something after SWITCH"),
    ("ERROR after SWITCH", [s.switch(), s.error(6, b"x")], "something after SWITCH"),
]


@cases(MISPLACED)
def misplaced(frames, words):
    hostile_sender(lambda peer: peer.send(*frames), s.PROTOCOL, words, files={}, told=False)


@test
def switch_after_fin():
    """What is committed by then stays, but zrecv has not heard that the sender knows."""
    with Session("listens") as session:
        session.peer.send(*ONE.frames())
        while session.peer.read().kind != s.RESULT:
            pass
        session.peer.send(s.fin_of([ONE]), s.switch())
        session.peer.expect(s.VERDICT)
        assert [f.kind for f in session.peer.hear()] == [s.ERROR]
        session.run.expect(s.PROTOCOL, "peer sent SWITCH", files={"f": CONTENT})


@cases([("SWITCH at once", s.switch(), False), ("JOIN at once", s.join([bytes(24)] * 2, bytes(16), 1), False),
        ("SWITCH before the RESULT", s.switch(), True)])
def from_the_receiver_unasked(frame, late):
    def script(peer):
        if late:
            s.receive_entry(peer, on_end=False)
        peer.send(frame)
        heard = peer.hear()
        assert heard[-1].kind == s.ERROR, heard
    hostile_receiver(script, s.PROTOCOL, "peer sent ", content=CONTENT[:100])


# --- nobody comes

@cases([(form, form) for form in FORMS])
def the_old_connection_is_not_ended(form):
    soon = within(15)
    with Session(form, *QUICK) as session:
        session.peer.send(s.switch())
        session.run.expect(s.TIMEOUT, "timed out", files={})
    soon()


@cases([(form, form) for form in FORMS])
def the_old_connection_is_reset(form):
    with Session(form, *QUICK) as session:
        session.peer.send(*ONE.frames()[:2], s.switch())
        while session.peer.read().kind != s.SWITCH:
            pass
        session.peer.reset()
        session.run.expect(s.NETWORK, "error: ", files={})


@test
def nobody_connects_again():
    soon = within(15)
    with Session("listens", *QUICK) as session:
        session.peer.send(*ONE.frames()[:2])
        session.peer.end_by_switch()
        session.run.expect(s.TIMEOUT, "did not connect again", files={})
    soon()


@test
def nobody_listens_again():
    soon = within(15)
    with Session("connects", *QUICK) as session:
        session.peer.send(*ONE.frames()[:2])
        session.listener.close()
        session.peer.end_by_switch()
        session.run.expect((s.NETWORK, s.TIMEOUT), "error: ", files={})
    soon()


# --- strangers first

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
    ("another session", says(lambda p, x: s.join(p, os.urandom(16), 1))),
    ("index 0", says(lambda p, x: s.join(p, x.id, 0))),
    ("index 2", says(lambda p, x: s.join(p, x.id, 2))),
    ("connector's preface changed", says(lambda p, x: s.join([flipped(p[0]), p[1]], x.id, 1))),
    ("listener's preface changed", says(lambda p, x: s.join([p[0], flipped(p[1])], x.id, 1))),
    ("HELLO", says(lambda p, x: s.message(s.HELLO, s.terms(p, sources=1, session=x.id)))),
    ("ERROR", says(lambda p, x: s.error(6, b"x"))),
    ("JOIN cut", says(lambda p, x: s.join(p, x.id, 1)[:-1])),
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
        ("another session", lambda peer, x: answer(peer, lambda p: s.join(p, os.urandom(16), 1)),
         s.PROTOCOL, "another session or connection"),
        ("another index", lambda peer, x: answer(peer, lambda p: s.join(p, x.id, 2)),
         s.PROTOCOL, "another session or connection"),
        ("another preface", lambda peer, x: answer(peer, lambda p: s.join([p[0], flipped(p[1])], x.id, 1)),
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
