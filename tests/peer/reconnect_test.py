"""The first connection of a session is lost and made again: at each moment, in each way, on both sides. What was not
counted comes again, blocks without an ACK too, and nothing counts twice."""
import os
import socket
import struct
import threading
import time

import speaker as s
from harness import ZRECV, ZSEND, Run, cases, hostile_sender, main, test, within, zrecv, zsend_to
from reconnecting import CONTENT, KEY, ONE, Session, TlsSession, make_certificate

FORMS = ("listens", "connects")
QUICK = ["--timeout=2"]
OLD = {"f": b"old content"}


def until(condition, limit=20):
    give_up = time.monotonic() + limit
    while not condition():
        assert time.monotonic() < give_up, "never true"
        time.sleep(0.01)


# --- a zrecv

@cases([(f"{form}, {'key' if key else 'no key'}, {how}", form, key, how) for form in FORMS for key in (None, KEY)
        for how in ("end", "reset", "still open")])
def at_each_moment(form, key, how):
    """Before the first ENTRY, after each frame or block, twice in a row, before and after FIN."""
    if form == "connects" and how == "still open":
        how = "end"  # only a listener can be surprised
    with Session(form, key=key, flags=s.SEVERAL) as session:
        sent = [s.Sent(1, "f", CONTENT), s.Sent(2, "g", CONTENT[:100])]
        session.lose(how)
        for one in sent:
            session.peer.say(one.announce)
            session.lose(how)
            for at, content in one.cuts:
                session.send_block(one.id, at, content)
                session.lose(how)
                session.lose(how)
            session.collect()
            session.peer.say(one.end)
            session.lose(how)
        session.peer.say(s.fin_of(sent))
        session.lose(how)
        while session.verdict is None:
            session.note(session.peer.read())
        session.lose(how)
        session.up_to_bye(sent)
        session.run.expect(0, files={"f": CONTENT, "g": CONTENT[:100]})
        assert session.run.summary()["reconnects"] == session.losses


@cases([(f"{form}, {name}", form, cut) for form in FORMS
        for name, cut in (("in a header", 16), ("after the header", 32), ("in the content", 500_000),
                          ("before the DIGEST", 32 + s.MIB), ("in the DIGEST", 32 + s.MIB + 20))])
def in_the_middle_of_a_block(form, cut):
    with Session(form) as session:
        session.peer.say(ONE.announce)
        session.waiting[1, 0] = ONE.cuts[0][1], 0
        session.peer.send(ONE.blocks[0][:cut])
        session.lose()
        for at, content in ONE.cuts[1:]:
            session.send_block(1, at, content)
        session.collect()
        session.peer.say(ONE.end)
        session.conclude([ONE])
        session.run.expect(0, files={"f": CONTENT})


@cases([("a message", lambda: ONE.announce), ("its last byte", None)])
def in_the_middle_of(what):
    """Half a message is not taken."""
    with Session("listens") as session:
        session.peer.said = [ONE.announce]
        session.peer.send(ONE.announce[:-1] if what is None else what()[:40])
        session.lose()
        assert session.peer.they_took == 0
        for at, content in ONE.cuts:
            session.send_block(1, at, content)
        session.collect()
        session.peer.say(ONE.end)
        session.conclude([ONE])
        session.run.expect(0, files={"f": CONTENT})


@test
def a_damaged_block_and_the_loss():
    """What was asked for again is forgotten with the connection; the whole block comes, and is no resent one."""
    with Session("listens") as session:
        session.peer.say(ONE.announce)
        broken = bytes([CONTENT[0] ^ 1]) + CONTENT[1:s.MIB]
        session.peer.send(s.data(1, 0, broken), s.digest(1, 0, CONTENT[:s.MIB]))
        session.peer.expect(s.RETRY)
        session.waiting[1, 0] = CONTENT[:s.MIB], 0
        session.lose()
        session.collect()
        for at, content in ONE.cuts[1:]:
            session.send_block(1, at, content)
        session.collect()
        session.peer.say(ONE.end)
        session.conclude([ONE])
        session.run.expect(0, files={"f": CONTENT})


@test
def an_end_that_is_held_over_a_loss():
    """A small file in one go, its block damaged; END is taken and comes no more."""
    content = CONTENT[:1000]
    one = s.Sent(1, "f", content)
    with Session("listens") as session:
        session.peer.say(one.announce)
        session.peer.send(s.data(1, 0, bytes(1000)), s.digest(1, 0, content))
        session.peer.say(one.end)
        session.peer.expect(s.RETRY)
        session.waiting[1, 0] = content, 0
        session.lose()
        assert session.peer.they_took == 2
        session.collect()
        session.conclude([one])
        session.run.expect(0, files={"f": content})


@test
def the_copy_whose_ack_was_lost_is_kept():
    """The file is read again and has other content by then: it is the first copy that counts."""
    first, second = CONTENT[:s.MIB], bytes(s.MIB)
    one = s.Sent(1, "f", first)
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.say(one.announce)
        peer.send(*one.blocks)
        until(lambda: any(kind == s.ACK for kind in peeked(peer)))
        peer.reset()
        peer = s.connect(run.port, s.SENDER).again(peer)
        peer.send(s.block(1, 0, second, s.attempt(1)))
        frame = peer.expect(s.ACK)
        assert s.message(s.ACK, frame.body, 1, 0) == s.ack(1, 0, first), frame
        peer.say(one.end, s.fin(1))
        s.up_to_verdict(peer, [one])
        peer.say(s.bye())
        run.expect(0, files={"f": first})
        peer.close()


def peeked(peer):
    """The types of the frames that wait to be read."""
    try:
        raw = peer.socket.recv(1 << 20, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return []
    kinds, at = [], 0
    while at + s.HEADER <= len(raw):
        kind, _, length = struct.unpack(">HHI", raw[at:at + 8])
        kinds.append(kind)
        at += s.HEADER + length
    return kinds


@test
def a_late_block_of_the_old_connection_has_no_effect():
    """It is on its way when the new one is there: either it came before, then the ACK says so, or it never comes."""
    for _ in range(5):
        with zrecv(existing=OLD) as run:
            old = s.connect(run.port, s.SENDER)
            old.meet()
            old.say(s.entry(1, "f", 2 * s.MIB))
            other, content = bytes(s.MIB), CONTENT[:s.MIB]
            old.send(s.block(1, 0, other))
            peer = s.connect(run.port, s.SENDER).again(old)
            peer.replay()
            # Whatever is still sent over the old one is for nobody.
            old.send(s.block(1, s.MIB, other))
            peer.send(s.block(1, 0, content, s.attempt(1)), s.block(1, s.MIB, content, s.attempt(1)))
            pieces = []
            for at in (0, s.MIB):
                frame = peer.expect(s.ACK)
                copy = {s.ack(1, at, c): c for c in (other, content)}.get(s.message(s.ACK, frame.body, 1, at), content)
                assert frame.offset == at and (frame.body == b"" or copy == other), frame
                pieces.append(copy)
            one = s.Sent(1, "f", b"".join(pieces))
            peer.say(one.end, s.fin(1))
            s.up_to_verdict(peer, [one])
            peer.say(s.bye())
            run.expect(0, files={"f": b"".join(pieces)})
            old.close()
            peer.close()


@cases([(form, form) for form in FORMS])
def what_zrecv_says_comes_again(form):
    """RESULTS and VERDICT that were lost, as often as that happens, and each of them once."""
    with Session(form) as session:
        session.send_file(ONE)
        session.peer.say(s.fin(1))
        for _ in range(3):
            until(lambda: s.VERDICT in peeked(session.peer))
            kinds = [k for k in peeked(session.peer) if k in s.COUNTED]
            assert kinds == [s.RESULTS, s.VERDICT], kinds
            session.lose("reset")
        session.note(session.peer.expect(s.RESULTS))
        # The verdict is not said to be taken.
        session.lose("reset")
        session.note(session.peer.expect(s.VERDICT))
        session.lose("end")
        session.up_to_bye([ONE])
        session.run.expect(0, files={"f": CONTENT})
        assert session.run.summary()["reconnects"] == 5


@cases([(form, form) for form in FORMS])
def a_hundred_losses_hold_no_descriptor(form):
    with Session(form) as session:
        descriptors = []
        for _ in range(100):
            session.lose()
            descriptors.append(len(os.listdir(f"/proc/{session.run.process.pid}/fd")))
        assert max(descriptors) < descriptors[0] + 20, descriptors
        session.finish()


@cases([(form, form) for form in FORMS])
def an_attempt_of_our_own_that_was_lost(form):
    """Before JOIN, after it, and after the answer; the next one has a higher generation and goes on."""
    with Session(form, key=KEY) as session:
        lost = session.peer
        lost.reset()
        for steps in (0, 1, 2):
            peer = session.fresh()
            if steps >= 1:
                peer.prove(KEY, join=True)
            if steps == 2:
                peer.exchange_joins(session.id, 0, lost.generation + 5)
                lost.generation = peer.generation
            peer.reset()
        session.peer = session.fresh()
        session.peer.again(lost)
        session.send_file(ONE)
        session.conclude([ONE])
        session.run.expect(0, files={"f": CONTENT})


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
    """Each of these entries has a result of its own at once; what is not counted is kept, but not without end."""
    with zrecv("--timeout=10") as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=s.SEVERAL)
        peer.counting = False
        heard = []
        reader = threading.Thread(target=lambda: heard.extend(f.kind for f in peer.hear()))
        reader.start()
        for start in range(1, 70_001, 1000):
            peer.send(*[s.entry(i, "f", 0) for i in range(start, start + 1000)])
        reader.join()
        assert heard.count(s.RESULTS) <= 65536 and heard[-1] == s.ERROR, heard[-5:]
        run.expect(s.PROTOCOL, "does not count what it is sent", files={})
        peer.close()


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


# --- many entries

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


# --- a zsend

class Receiver:
    """An honest receiver of a zsend in one of the two forms, with one file."""

    def __init__(self, form, content, *options):
        self.form, self.listener = form, None
        if form == "listens":
            self.run = Run()
            self.run.start(ZSEND, "--listen", "127.0.0.1:0", "--plain", "--no-auth", *options,
                           self.run.write("f", content)).wait_listening()
            self.source = os.path.join(self.run.top, "f")
            self.peer = s.connect(self.run.port, s.RECEIVER)
        else:
            self.listener = s.Listener()
            self.run = zsend_to(self.listener, [("f", content)], *options)
            self.source = os.path.join(self.run.top, "files", "f")
            self.peer = self.listener.accept(s.RECEIVER)
        self.peer.meet(block=s.MIB)
        self.losses = 0

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.peer.close()
        if self.listener:
            self.listener.close()
        self.run.__exit__()

    def fresh(self):
        return s.connect(self.run.port, s.RECEIVER) if self.form == "listens" else self.listener.accept(s.RECEIVER)

    def lose(self, how="reset", taken=None):
        """taken: what this side says it has taken; the truth when left out."""
        lost = self.peer
        if taken is not None:
            lost.taken = taken
        if how == "end":
            lost.end_sending()
            lost.drain()
        lost.reset() if how == "reset" else None
        self.losses += 1
        self.peer = self.fresh().again(lost)
        self.peer.replay()
        lost.close()

    def block(self):
        data = self.peer.expect(s.DATA)
        digest = self.peer.expect(s.DIGEST)
        assert digest.offset == data.offset and digest.body[4:] == s.xxh128(data.body), digest
        return data

    def conclude(self, pieces, end, lose=None):
        """From END on: these (offset, content) are kept."""
        info = s.read_end(end.body)
        total = s.digest_sum(s.block_part(at, len(c), s.xxh128(c)) for at, c in pieces)
        size = sum(len(c) for _, c in pieces)
        assert (end.offset, info["failure"], info["sum"]) == (size, 0, total), info
        self.peer.say(s.result(1))
        self.peer.expect(s.FIN)
        status = s.CHANGED if info["changed"] else 0
        self.peer.say(s.verdict(1, size, s.digest_sum([s.entry_part(1, size, total)]), status))
        if lose:
            lose()
        assert self.peer.expect(s.BYE).body == bytes([status])
        self.peer.end_sending()
        self.run.expect(status, files={})
        assert self.run.summary()["reconnects"] == self.losses
        return info


BIG = os.urandom(2 * s.MIB + 100)
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


@cases([("more than was sent", 7), ("2^64-1", (1 << 64) - 1)])
def zsend_hears_an_impossible_count(count):
    with Receiver("connects", BIG) as receiver:
        receiver.peer.expect(s.ENTRY)
        receiver.peer.reset()
        peer = receiver.fresh().prove(None, join=True)
        theirs = s.read_join(peer.expect(s.JOIN).body)
        peer.send(s.join(peer.prefaces, theirs["session"], 0, theirs["generation"], count))
        peer.drain()
        peer.close()
        receiver.run.expect(s.PROTOCOL, "counted messages that were not sent", files={})


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
