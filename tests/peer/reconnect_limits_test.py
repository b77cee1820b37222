"""Where a lost connection ends a session after all: nobody comes again in time, or what comes cannot be. And that what is
kept for the next connection is bounded."""
import os
import threading
import time

import speaker as s
from harness import ZRECV, ZSEND, Run, cases, main, test, within, zrecv
from reconnecting import CONTENT, FORMS, KEY, ONE, QUICK, Receiver, Session, until


def begin_anew(port):
    """As zsend does it: until the listener has noticed the loss, it has another transfer."""
    def attempt():
        peer = s.connect(port, s.SENDER)
        code = peer.exchange_prefaces()[14]
        if code == 0:
            return peer
        assert code == s.BUSY
        peer.close()
    return until(attempt)


@test
def nobody_joins_a_session_that_was_given_up():
    """The peer is lost before it knows of WELCOME and begins anew; from then on the first session is none."""
    with zrecv() as run:
        lost = s.connect(run.port, s.SENDER).prove()
        session = os.urandom(16)
        lost.send(s.message(s.HELLO, s.terms(lost.prefaces, session=session)))
        lost.expect(s.WELCOME)
        lost.reset()
        peer = begin_anew(run.port)  # and does not say HELLO yet

        def is_refused():
            late = s.connect(run.port, s.SENDER)
            code = late.exchange_prefaces(s.preface(s.SENDER, no_auth=True, join=True))[14]
            late.close()
            return code != 0
        until(is_refused)  # the peer may know that it was taken before all of zrecv does
        peer.agree()
        peer.send(ONE.announce, *ONE.blocks, ONE.end, s.fin_of([ONE]))
        while peer.read().kind != s.VERDICT:
            pass
        peer.send(s.bye(0))
        peer.end_sending()
        run.expect(0)
        peer.close()


@cases([("more than was sent", 1), ("2^64-1", (1 << 64) - 1)])
def a_count_in_join_that_is_impossible(count):
    with Session("listens") as session:
        lost = session.peer
        lost.end_sending()
        lost.hear()
        peer = session.fresh().prove(None, join=True)
        peer.send(s.join(peer.prefaces, session.id, 0, 1, count))
        peer.first = True
        assert [f.kind for f in peer.hear()] == [s.JOIN, s.ERROR]
        peer.close()
        session.run.expect(s.PROTOCOL, "counted messages that were not sent", files={})


@cases([("more than was sent", 7), ("2^64-1", (1 << 64) - 1)])
def zsend_hears_an_impossible_count(count):
    with Receiver("connects", CONTENT) as receiver:
        receiver.peer.expect(s.ENTRY)
        receiver.peer.reset()
        peer = receiver.fresh().prove(None, join=True)
        theirs = s.read_join(peer.expect(s.JOIN).body)
        peer.send(s.join(peer.prefaces, theirs["session"], 0, theirs["generation"], count))
        peer.drain()
        peer.close()
        receiver.run.expect(s.PROTOCOL, "counted messages that were not sent", files={})


@cases([("in JOIN", True), ("in HEARTBEAT", False)])
def a_count_that_goes_back(in_join):
    with Session("listens") as session:
        session.send_file(ONE)
        while not session.results:
            session.note(session.peer.read())
        session.peer.send(s.heartbeat(1))
        if in_join:
            session.peer.end_sending()
            session.peer.hear()
            peer = session.fresh().prove(None, join=True)
            peer.send(s.join(peer.prefaces, session.id, 0, 1, 0))
        else:
            peer = session.peer
            peer.send(s.heartbeat(0))
        peer.first = True
        peer.hear()
        session.run.expect(s.PROTOCOL, "counted messages that were not sent", files={"f": CONTENT})


@test
def a_sender_that_never_counts():
    """Each of these entries has a result of its own at once, with a long reason; what is not counted is kept, but not
    without end."""
    with zrecv("--timeout=10") as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=s.SEVERAL)
        peer.counting = False
        heard = []
        reader = threading.Thread(target=lambda: heard.extend(f.kind for f in peer.hear()))
        reader.start()
        names = ["\1" * 254 + "a", "\1" * 254 + "b"]
        for start in range(1, 40_001, 1000):
            peer.send(*[s.entry(i, names[i % 2], 0) for i in range(start, start + 1000)])
        reader.join()
        assert heard.count(s.RESULTS) <= 65536 and heard[-1] == s.ERROR, heard[-5:]
        run.expect(s.PROTOCOL, "does not count what it is sent", files={})
        peer.close()


@test
def a_receiver_that_never_counts():
    """Two messages for each of many empty files."""
    count = 33_000
    listener = s.Listener()
    with Run() as run:
        folder = os.path.join(run.top, "files")
        os.mkdir(folder)
        for i in range(count):
            os.close(os.open(f"{folder}/{i}", os.O_CREAT | os.O_WRONLY, 0o600))
        run.start(ZSEND, "--plain", "--no-auth", *[f"files/{i}" for i in range(count)],
                  f"zs://127.0.0.1:{listener.port}/")
        peer = listener.accept(s.RECEIVER)
        peer.counting = False
        peer.meet()
        last = s.Told(None)
        try:
            while True:
                frame = peer.read()
                if frame.kind == s.END and frame.entry % 1000 == 0:
                    peer.send(s.results(s.run(frame.entry - 999, 1000)))
                last = frame
        except s.Closed:
            pass
        # What was not on its way yet by then never comes.
        assert last.kind == s.ERROR and 60000 < peer.taken <= 65536, (last, peer.taken)
        run.expect(s.PROTOCOL, "does not count what it is sent")
        peer.close()
    listener.close()


@cases([(form, form) for form in FORMS])
def nobody_comes_again(form):
    soon = within(15)
    with Session(form, *QUICK) as session:
        session.peer.say(ONE.announce)
        session.peer.send(ONE.blocks[0])
        if session.listener:
            session.listener.close()
        session.peer.close()
        session.run.expect(s.NETWORK, "not made again within 2 s", files={})
    soon()


@cases([(form, form) for form in FORMS])
def a_silent_peer_is_lost(form):
    """Also while it could still come again."""
    soon = within(15)
    with Session(form, *QUICK) as session:
        session.peer.say(ONE.announce)
        session.run.expect(s.TIMEOUT, "timed out", "not made again within 2 s", files={})
    soon()


@test
def a_silent_listener():
    """Something accepts the new connection and says nothing: --timeout is for that too."""
    soon = within(10)
    with Session("connects", *QUICK, key=KEY) as session:
        session.peer.close()
        peer = session.fresh()
        session.run.expect((s.NETWORK, s.TIMEOUT), "not made again within 2 s", files={})
        soon()
        peer.close()


@cases([("closes at once", lambda peer: peer.close()), ("resets", lambda peer: peer.reset()),
        ("closes after the preface", lambda peer: (peer.receive(24), peer.close())),
        ("is busy", lambda peer: (peer.exchange_prefaces(s.preface(s.SENDER, code=s.BUSY)), peer.close()))])
def an_answer_that_is_none(fault):
    """The program connects again when what it reached breaks off, or has another session."""
    with Session("connects", key=KEY) as session:
        lost = session.peer
        lost.close()
        for _ in range(3):
            fault(session.fresh())
        session.peer = session.fresh().again(lost, None)
        session.losses = 1
        session.finish()


@test
def a_relay_that_closes_at_once_is_not_flooded():
    """A relay whose other side is gone accepts and closes. Attempts have a pause between them."""
    with Session("connects", "--timeout=4", key=KEY) as session:
        session.peer.close()
        attempts, end = 0, time.monotonic() + 2
        session.listener.socket.settimeout(0.5)
        while time.monotonic() < end:
            try:
                session.fresh().close()
                attempts += 1
            except TimeoutError:
                pass
        assert 1 < attempts <= 15, f"{attempts} connections in 2 s"


@test
def a_signal_ends_the_waiting():
    soon = within(15)
    with Session("listens") as session:
        session.peer.close()
        session.run.says("connection lost; trying for 60 s more")
        session.run.process.terminate()
        session.run.finish()
        assert session.run.status == -15 and session.run.tree() == {"dst": None}, session.run.describe()
    soon()

COUNT = 100_000


@test
def a_hundred_thousand_entries():
    """With 64 descriptors, and the same memory for the first ten thousand as for all of them."""
    with Run() as run:
        limited = run.write("limited", f'#!/bin/sh\nulimit -n 64\nexec "{ZRECV}" "$@"\n'.encode())
        os.chmod(limited, 0o700)
        run.start(limited, "--listen", "127.0.0.1:0", "--plain", "--no-auth", "--durability=none",
                  run.dst).wait_listening()
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=s.SEVERAL, durability=1)
        room, seen, problems = threading.Semaphore(512), {}, []

        def read():
            try:
                while True:
                    frame = peer.read()
                    if frame.kind == s.ACK:
                        room.release()
                    elif frame.kind == s.RESULTS:
                        for entry_id, one in s.read_results(frame.body).items():
                            assert entry_id not in seen and one["status"] == 0, (entry_id, one)
                            seen[entry_id] = True
                    else:
                        assert frame.kind == s.VERDICT, frame
                        problems.append(s.read_verdict(frame.body))
                        return
            except BaseException as problem:  # for the main thread
                problems.append(problem)
                for _ in range(COUNT):
                    room.release()
        reader = threading.Thread(target=read)
        reader.start()
        parts, early = [], 0
        for i in range(1, COUNT + 1):
            room.acquire()
            content = b"content of %d" % i
            total = s.block_part(0, len(content), s.xxh128(content))
            peer.send(s.entry(i, b"%d" % i, len(content)), s.block(i, 0, content), s.end(i, len(content), total))
            parts.append(s.entry_part(i, len(content), total))
            if i == COUNT // 10:
                until(lambda: len(seen) > 4096 or problems)
                early = memory_of(run)
        peer.send(s.fin(COUNT))
        until(lambda: problems, 60)
        late = memory_of(run)
        reader.join()
        assert isinstance(problems[0], dict), problems[0]
        assert sorted(seen) == list(range(1, COUNT + 1))
        assert problems[0]["entries"] == COUNT and problems[0]["root"] == s.digest_sum(parts), problems[0]
        peer.send(s.bye())
        run.finish()
        assert run.status == 0, run.describe()
        assert len(os.listdir(run.dst)) == COUNT
        with open(os.path.join(run.dst, "77777"), "rb") as f:
            assert f.read() == b"content of 77777"
        # AddressSanitizer keeps what is freed, up to 256 MiB, and more for each allocation.
        most = (512 if os.environ.get("ZX_SANITIZE") else 16) << 10
        assert late - early < most, f"{early} KiB, then {late} KiB"
        peer.close()


def memory_of(run):
    with open(f"/proc/{run.process.pid}/status", encoding="ascii") as f:
        return int(next(line.split()[1] for line in f if line.startswith("VmRSS")))


if __name__ == "__main__":
    main()
