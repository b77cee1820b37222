"""What zsend sends of standard input, to a receiver that acknowledges as it likes."""
import os
import subprocess
import threading
import time

import speaker as s
from harness import Run, ZSEND, cases, main, test, within

WINDOW = 32 * s.MIB
LONG = os.urandom(40 * s.MIB)


class Session(Run):
    """A zsend whose standard input is ours, up to its ENTRY."""

    def __init__(self, *options, content=None):
        super().__init__()
        self.options, self.content = options, content
        self.listener = s.Listener()

    def __enter__(self):
        self.start(ZSEND, "--plain", "--no-auth", *self.options, "-", f"zs://127.0.0.1:{self.listener.port}",
                   stdin=subprocess.PIPE)
        self.stdin = self.process.stdin
        self.feeder = None
        if self.content is not None:
            self.feeder = threading.Thread(target=self._feed, daemon=True)
            self.feeder.start()
        self.peer = self.listener.accept(s.RECEIVER)
        self.peer.meet()
        frame = self.peer.expect(s.ENTRY)
        self.info = s.read_entry(frame.body)
        assert self.info["open_ended"], self.info
        return self

    def _feed(self):
        try:
            self.stdin.write(self.content)
            self.stdin.close()
        except OSError:
            pass

    def __exit__(self, *unused):
        super().__exit__()
        self.peer.close()
        self.listener.close()
        if self.feeder:
            self.feeder.join()
        try:
            self.stdin.close()
        except OSError:
            pass

    def spool_bytes(self):
        """What the window occupies."""
        folder = f"/proc/{self.process.pid}/fd"
        for name in os.listdir(folder):
            if "zsend-spool" in os.readlink(f"{folder}/{name}"):
                return os.stat(f"{folder}/{name}").st_blocks * 512
        raise AssertionError("there is no window")

    def block(self):
        """The next block; its digest is right."""
        data = self.peer.expect(s.DATA)
        digest = self.peer.expect(s.DIGEST)
        assert digest.offset == data.offset and digest.body[:4] == data.length.to_bytes(4, "big")
        assert digest.body[4:] == s.xxh128(data.body)
        return data

    def note(self, data, parts):
        parts[data.offset] = s.block_part(data.offset, data.length, s.xxh128(data.body))
        return data

    def acknowledge(self, data):
        self.peer.send(s.ack(1, data.offset))

    def conclude(self, end, parts, content):
        """From END on: all is well."""
        info = s.read_end(end.body)
        total = s.digest_sum(parts.values())
        assert (end.offset, info["failure"], info["sum"]) == (len(content), 0, total), info
        self.peer.send(s.result(1))
        self.peer.expect(s.FIN)
        root = s.digest_sum([s.entry_part(1, len(content), total)])
        self.peer.send(s.verdict(1, len(content), root))
        assert self.peer.expect(s.BYE).body == b"\0"
        self.peer.end_sending()
        self.expect(0)


@test
def no_more_than_the_window_without_an_acknowledgement():
    """32 MiB come, then only heartbeats; what is acknowledged from the front makes room, and the memory goes back."""
    with Session(content=LONG) as session:
        got, parts, waiting = bytearray(), {}, []

        def take_until(size):
            while len(got) < size:
                data = session.note(session.block(), parts)
                assert data.offset == len(got)
                got.extend(data.body)
                waiting.append(data)
            assert len(got) == size
            assert session.peer.read(optional_too=True).kind == s.HEARTBEAT
            assert WINDOW <= session.spool_bytes() <= WINDOW + 8192
        take_until(WINDOW)
        # Behind a block that is not acknowledged nothing is given free.
        later = [d for d in waiting if d.offset >= 5 * s.MIB]
        session.acknowledge(later[0])
        assert session.peer.read(optional_too=True).kind == s.HEARTBEAT
        assert WINDOW <= session.spool_bytes() <= WINDOW + 8192
        for data in [d for d in waiting if d.offset < 5 * s.MIB]:
            session.acknowledge(data)
        left = later[1:]
        waiting.clear()
        take_until(WINDOW + later[0].offset + later[0].length)
        for data in left + waiting:
            session.acknowledge(data)
        while (frame := session.peer.read()).kind != s.END:
            session.note(frame, parts)
            got += frame.body
            session.peer.expect(s.DIGEST)
            session.acknowledge(frame)
        assert bytes(got) == LONG
        session.conclude(frame, parts, LONG)


@test
def a_block_is_sent_again_from_the_window():
    """Long after standard input was read past it; END comes when all is acknowledged."""
    content = LONG[:6 * s.MIB + 1]
    with Session(content=content) as session:
        parts, blocks = {}, []
        while sum(b.length for b in blocks) < len(content):
            blocks.append(session.note(session.block(), parts))
        first, *others = blocks
        for _ in range(2):
            session.peer.send(s.retry(1, 0, first.length))
            again = session.block()
            assert again.flags == s.RESENT and again.body == first.body == content[:first.length]
        for data in others:
            session.acknowledge(data)
        assert session.peer.read(optional_too=True).kind == s.HEARTBEAT
        session.acknowledge(first)
        session.conclude(session.peer.expect(s.END), parts, content)


@test
def what_there_is_comes_while_the_source_is_open():
    """Line by line, without a full block, and with heartbeats while there is nothing: longer than a time-out."""
    soon = within(20)
    with Session("--timeout", "1", "--name", "log", "--size", "5G") as session:
        assert (session.info["name"], session.info["size"]) == ([b"log"], 5 << 30)
        parts, got = {}, b""
        for line in (b"one\n", b"two\n", b"x" * 100_000):
            session.stdin.write(line)
            session.stdin.flush()
            before = len(got)
            while len(got) < before + len(line):
                data = session.note(session.block(), parts)
                assert data.offset == len(got)
                got += data.body
                session.acknowledge(data)
            # It says so often enough, taken together, for the 250 ms of silence that --timeout 1 allows; and so
            # does this side.
            begun = time.monotonic()
            for _ in range(18):
                assert session.peer.read(optional_too=True).kind == s.HEARTBEAT
                session.peer.beat()
            assert time.monotonic() - begun < 18 * 0.25
        session.stdin.close()
        session.conclude(session.peer.expect(s.END), parts, got)
    soon()


@test
def a_receiver_that_says_no_more_is_given_up():
    """It has got something and does not say what became of it, though the connection stands."""
    soon = within(15)
    with Session("--timeout", "1") as session:
        session.stdin.write(b"x" * 100)
        session.stdin.flush()
        session.block()
        session.expect(s.TIMEOUT, "timed out")
    soon()


@cases([("closed", lambda peer: peer.close()), ("reset", lambda peer: peer.reset())])
def a_receiver_that_dies_while_the_source_is_silent(end):
    soon = within(15)
    with Session("--timeout", "4") as session:
        session.stdin.write(b"x" * 100)
        session.stdin.flush()
        session.acknowledge(session.block())
        assert session.peer.read(optional_too=True).kind == s.HEARTBEAT
        session.listener.close()
        end(session.peer)
        session.expect(s.NETWORK, "not made again within 4 s")
    soon()


@test
def what_is_in_the_window_survives_the_connection():
    """Standard input cannot be read again: what has no ACK comes again out of the window."""
    content = LONG[:3 * s.MIB]
    with Session(content=content) as session:
        blocks = []
        while sum(b.length for b in blocks) < len(content):
            blocks.append(session.block())
        session.acknowledge(blocks[0])
        lost = session.peer
        lost.end_sending()
        lost.hear()
        session.peer = session.listener.accept(s.RECEIVER).again(lost)
        assert session.peer.they_took == 0
        parts = {0: s.block_part(0, blocks[0].length, s.xxh128(blocks[0].body))}
        got = {0: blocks[0].body}
        while sum(len(body) for body in got.values()) < len(content):
            data = session.note(session.block(), parts)
            assert data.flags == s.attempt(1) or data.offset == 0, data.flags
            got[data.offset] = data.body
            session.acknowledge(data)
        assert b"".join(got[at] for at in sorted(got)) == content
        frame = session.peer.read()
        if frame.kind == s.DATA:  # the ACK of the first one may have been lost
            assert (frame.offset, frame.flags) == (0, s.attempt(1))
            session.peer.expect(s.DIGEST)
            session.acknowledge(frame)
            frame = session.peer.expect(s.END)
        session.conclude(frame, parts, content)


@test
def a_receiver_that_gives_the_entry_up():
    with Session() as session:
        session.stdin.write(b"x" * 100)
        session.stdin.flush()
        data = session.block()
        session.peer.send(s.result(1, s.NO_SPACE, reason=b"full\x1b[2J"))
        session.acknowledge(data)
        session.peer.expect(s.FIN)
        session.peer.send(s.verdict(0, 0, bytes(16), status=s.NO_SPACE, durable=False))
        session.peer.expect(s.BYE)
        session.peer.end_sending()
        session.expect(s.NO_SPACE, "peer: ", "full")


@cases([("ACK of what was not sent", s.ack(1, 100), "was not sent"),
        ("ACK twice", s.ack(1, 0) * 2, "was not sent"),
        ("RETRY of what was acknowledged", s.ack(1, 0) + s.retry(1, 0, 100), "was not sent"),
        ("RETRY of a part", s.retry(1, 0, 50), "was not sent"),
        ("RETRY too often", s.retry(1, 0, 100) * 4, "too often"),
        ("RESULTS before END", s.result(1), "was not sent whole")])
def lies(frames, words):
    with Session("--timeout", "5") as session:
        session.stdin.write(b"x" * 100)
        session.stdin.flush()
        assert session.block().length == 100
        session.peer.send(frames)
        session.expect(s.PROTOCOL, words)


if __name__ == "__main__":
    main()
