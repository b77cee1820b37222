"""What a stranger or a broken relay may cost a switch: bounded time, few attempts, bounded memory."""
import os
import time

import speaker as s
from harness import cases, hostile_sender, main, test, within
from switching import KEY, SendingSession, Session, make_certificate


@test
def a_silent_stranger_first():
    """It comes before the right one and says nothing; the right one is still served within the time-out."""
    with Session("listens", "--timeout", "5", key=KEY) as session:
        session.peer.end_by_switch()
        stranger = session.fresh()
        session.index += 1
        session.peer = session.fresh().join(session.id, session.index, KEY)
        session.finish()
        stranger.close()


@test
def a_silent_listener():
    """Something accepts the further connection and says nothing: --timeout is for that too."""
    soon = within(6)
    with Session("connects", "--timeout", "2", key=KEY) as session:
        session.peer.end_by_switch()
        peer = session.fresh()
        session.run.expect(s.TIMEOUT, "timed out", files={})
        soon()
        peer.close()


@test
def a_relay_that_closes_at_once_is_not_flooded():
    """A relay whose other side is gone accepts and closes. Attempts have a pause between them."""
    with Session("connects", "--timeout", "3", key=KEY) as session:
        session.peer.end_by_switch()
        attempts, until = 0, time.monotonic() + 2
        session.listener.socket.settimeout(0.5)
        while time.monotonic() < until:
            try:
                session.fresh().close()
                attempts += 1
            except TimeoutError:
                pass
        # One each 0.2 s, as for a refused connection.
        assert attempts <= 15, f"{attempts} connections in 2 s"


@cases([("SWITCH", [s.switch(b"x")])])
def body_of_an_empty_message(frames):
    """Bytes left over after the last field of a message are a protocol error; SWITCH has no field."""
    hostile_sender(lambda peer: peer.send(*frames), s.PROTOCOL, "SWITCH", files={}, told=False,
                   options=["--timeout", "3"])


@test
def answers_before_the_switch_are_bounded():
    """A receiver that goes on talking instead of answering SWITCH must not fill the sender's memory."""
    with SendingSession("--timeout", "10") as session:
        session.up_to_switch()
        frame = s.message(s.ACK, os.urandom((128 << 10) - 8), 1, 0)
        for _ in range(2400):  # 300 MiB
            try:
                session.peer.socket.sendall(frame)
            except OSError:
                return session.run.expect(s.PROTOCOL, files={})  # it had enough
        with open(f"/proc/{session.run.process.pid}/status", encoding="ascii") as f:
            memory = int(next(line.split()[1] for line in f if line.startswith("VmRSS"))) >> 10
        assert memory < 200, f"{memory} MiB are held"


# The address sanitizer keeps freed memory, as much as it was given: not what is measured here.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=8"

if __name__ == "__main__":
    make_certificate()
    main()
