"""A connection that is replaced (SWITCH, JOIN): at each moment, and where it does not belong.

Plain mode, in which zrecv answers a SWITCH as in TLS. Sessions run in both forms: "listens" is a zrecv that
waits and is connected to again, "connects" is one that connects again.
"""
import os
import socket
import time

import speaker as s
from harness import cases, hostile_receiver, hostile_sender, main, test, within, zrecv
from switching import CONTENT, KEY, ONE, Session, conclude

FORMS = ("listens", "connects")
QUICK = ["--timeout", "2"]


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
        # A few more in the middle of a switch: the pipe of the next one, a socket on its way out.
        assert max(descriptors) < descriptors[0] + 20, descriptors
        session.finish()


@test
def strangers_are_refused_outside_a_switch():
    with Session("listens") as session:
        def refused():
            try:
                socket.create_connection(("127.0.0.1", session.run.port), 5).close()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                pass  # the listener was closed just while it was connecting
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


if __name__ == "__main__":
    main()
