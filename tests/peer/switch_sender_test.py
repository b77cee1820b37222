"""A zsend that replaces its connection, against a receiver made of speaker.py under TLS with certificates.

What follows the old connection has a key from the TLS exporter, which Python's ssl module does not have: each
case ends at the latest when the new connection has shown its preface.
"""
import os

import speaker as s
from harness import cases, main, test, within
from switching import SendingSession as Session, make_certificate


@test
def the_key_of_the_next_connection_is_not_the_certificates():
    """After both SWITCHes zsend connects again, asks for mode tls-psk, and names no key that could link it."""
    with Session("--timeout", "2") as session:
        session.up_to_switch().peer.send(s.switch())
        session.end_old()
        again = session.listener.accept(s.RECEIVER)
        preface = again.receive(24)
        assert preface[:8] == s.MAGIC and preface[10] == s.TLS_PSK and preface[11] == s.SENDER, preface
        assert preface != session.peer.prefaces[0]
        again.close()
        session.listener.close()
        session.run.expect((s.NETWORK, s.TIMEOUT), "error: ", files={})


BEFORE = [
    ("ACK", s.ack(1, s.MIB)), ("RETRY", s.retry(1, 0, s.MIB)), ("RESULT of a failure", s.result(1, 6)),
    ("HEARTBEAT", s.message(s.HEARTBEAT)), ("unknown optional", s.message(0x0777, b"x" * 100)),
    ("all of them", s.ack(1, 1) + s.retry(1, 0, s.MIB) + s.result(1, 6) + s.message(s.HEARTBEAT)),
]


@cases(BEFORE)
def is_heard_before_the_answer(frames):
    """What an honest receiver had said already does not disturb the switch: the new connection comes."""
    with Session("--timeout", "2") as session:
        session.up_to_switch().peer.send(frames, s.switch())
        session.end_old()
        session.listener.accept(s.RECEIVER).close()
        session.listener.close()
        session.run.expect((s.NETWORK, s.TIMEOUT), files={})


INSTEAD = [
    ("ERROR", s.error(7, b"full\x1b[2J"), s.NO_SPACE, "peer: "),
    ("DATA", s.data(1, 0, b"x" * 1000), s.PROTOCOL, "peer sent DATA"),
    ("unknown must-understand", s.message(0x8abc), s.PROTOCOL, "unknown type"),
    ("random bytes", os.urandom(4096), s.PROTOCOL, "check"),
    ("SWITCH twice", s.switch() + s.switch(), s.PROTOCOL, "something after SWITCH"),
    ("RESULT after SWITCH", s.switch() + s.result(1, 6), s.PROTOCOL, "something after SWITCH"),
]


@cases(INSTEAD)
def instead_of_the_answer(frames, status, words):
    with Session("--timeout", "5") as session:
        session.up_to_switch().peer.send(frames)
        session.run.expect(status, words, files={})


@test
def no_answer():
    soon = within(15)
    with Session("--timeout", "1") as session:
        session.up_to_switch()
        session.run.expect(s.TIMEOUT, "timed out", files={})
    soon()


@test
def the_end_instead_of_the_answer():
    with Session("--timeout", "5") as session:
        session.up_to_switch()
        session.end_old()
        session.run.expect(s.NETWORK, "the connection ended", files={})


@test
def an_end_that_tls_did_not_announce():
    with Session("--timeout", "5") as session:
        session.up_to_switch().peer.send(s.switch())
        os.close(session.peer.socket.detach())
        session.run.expect(s.NETWORK, "error: ", files={})


if __name__ == "__main__":
    make_certificate()
    main()
