"""Every prefix of a good session, then the end of the connection, a reset, or silence, and nobody who connects again:
never success, nothing half done (N22). And bits flipped on the way: never success with other content (N23).
What follows when the connection is made again is in reconnect_recv_test.py."""
import concurrent.futures
import os

import speaker as s
from harness import cases, main, test, turned_away, zrecv

FILES = {"one": bytes(range(256)) + b"end", "two": b"second", "empty": b""}
OLD = {"one": b"old content", "kept": b"not of this session"}


class Session:
    """All the sender's bytes after its preface. They go in one go but for BYE, which follows the VERDICT: nothing
    depends on the receiver's answers but the listener's preface."""

    def __init__(self, prefaces):
        sent = [s.Sent(i, name, content, block_size=200)
                for i, (name, content) in enumerate(FILES.items(), 1)]
        pieces = [s.message(s.HELLO, s.terms(prefaces, flags=s.SEVERAL, session=b"0123456789abcdef")), s.heartbeat()]
        for one in sent:
            pieces += one.frames()
            if one is sent[0]:
                self.first_end = sum(len(piece) for piece in pieces)
        pieces += [s.fin_of(sent), s.bye()]
        # DATA's header and content, DIGEST and so on each end at a boundary.
        self.bytes, self.boundaries = b"", []
        for piece in pieces:
            at = 0
            while at < len(piece):
                step = s.HEADER + int.from_bytes(piece[at + 4:at + 8], "big")
                self.boundaries += [len(self.bytes) + at, len(self.bytes) + at + s.HEADER]
                at += step
            self.bytes += piece
        self.fin_end = len(self.bytes) - len(pieces[-1])

    def __len__(self):
        return len(self.bytes)


SAMPLE = Session([bytes(24), bytes(24)])
WHOLE = s.PREFACE + len(SAMPLE)
COMMITTED = s.PREFACE + SAMPLE.fin_end
HELLO_END = s.PREFACE + SAMPLE.boundaries[2]
# Before that not even one entry has all it needs; from then on it may be committed.
FIRST_END = s.PREFACE + SAMPLE.first_end


def left_clean(run):
    """Each name holds its old content or the complete new one, and nothing else is there."""
    tree = run.tree()
    assert tree.pop("dst") is None
    for path, content in tree.items():
        name = path[len("dst/"):]
        assert name in FILES or name in OLD, f"left behind: {path}; {run.describe()}"
        assert content in (FILES.get(name), OLD.get(name)), f"{name} holds {content!r}"
    assert tree["dst/kept"] == OLD["kept"] and "dst/one" in tree


def all_arrived(run):
    return run.tree() == {"dst": None, **{f"dst/{n}": c for n, c in {**OLD, **FILES}.items()}}


def nothing_arrived(run):
    return run.tree() == {"dst": None, **{f"dst/{n}": c for n, c in OLD.items()}}


def replay(peer, upto, change=lambda at, raw: raw):
    """Sends the first `upto` bytes of a session, changed; returns False when it was refused early."""
    mine = s.preface(s.SENDER, no_auth=True)
    peer.prefaces[0] = mine
    peer.send(change(0, mine)[:upto])
    if upto <= s.PREFACE:
        return
    try:
        peer.prefaces[1] = peer.receive(s.PREFACE)
    except s.Closed:
        return
    session, peer.first = Session(peer.prefaces), True
    raw = change(s.PREFACE, session.bytes)[:upto - s.PREFACE]
    peer.send(raw[:session.fin_end])
    if upto > COMMITTED:
        try:
            while peer.read().kind not in (s.VERDICT, s.ERROR):
                pass
        except s.Closed:
            return
        peer.send(raw[session.fin_end:])


def cut(upto, how):
    # What is complete is committed after a second, whether the connection is made again or not.
    with zrecv("--timeout=3" if upto >= COMMITTED else "--timeout=1", existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        replay(peer, upto)
        if how == "end":
            peer.end_sending()
            peer.hear() if upto > s.PREFACE else peer.drain()
        elif how == "reset":
            peer.reset()
        elif upto < s.PREFACE:
            peer.drain()  # it has its own limit
        else:
            run.finish()
        if upto == WHOLE and how != "reset":
            run.expect(0)
            assert all_arrived(run)
            return
        if upto < s.PREFACE:
            turned_away(run, "timed out" if how == "silence" else "the connection ended")
            return
        # Who is lost before he knows of WELCOME may begin anew, and has not done so in time.
        early = upto <= HELLO_END or how == "reset"
        late = s.TIMEOUT if how == "silence" else s.NETWORK
        run.expect((late, s.TIMEOUT) if early else late, "the peer did not connect again in time")
        left_clean(run)
        if upto < FIRST_END:
            assert nothing_arrived(run), f"cut at {upto}: {run.describe()}"
        elif upto >= COMMITTED and how != "reset":
            assert all_arrived(run), f"cut at {upto}: {run.describe()}"
        peer.close()


def points(step):
    inside = {s.PREFACE + b for b in SAMPLE.boundaries} | set(range(1, WHOLE, step)) | {WHOLE - 1, WHOLE}
    return sorted(inside)


def run_all(jobs):
    """All of them, a few at a time; the first failure is the failure."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(*job) for job in jobs]:
            done.result()


@test
def end_of_connection():
    run_all([(cut, at, "end") for at in points(23)])


@test
def reset():
    # Before the answer to the preface a reset is an accept that failed, and the listener goes on.
    run_all([(cut, at, "reset") for at in points(61) if s.PREFACE < at < WHOLE])


@cases([("in the preface", 12), ("before HELLO", 24), ("in HELLO", 60)])
def silence_in_the_handshake(at):
    """Has its own limit, which no --timeout moves."""
    cut(at, "silence")


@test
def silence():
    every = [at for at in points(1000) if HELLO_END <= at < WHOLE]
    run_all([(cut, at, "silence") for at in every])


@test
def whole_session():
    cut(WHOLE, "end")


@test
def no_byte_does_not_end_the_listener():
    with zrecv(existing=OLD) as run:
        for how in ("end", "reset", "close"):
            peer = s.connect(run.port, s.SENDER)
            if how == "end":
                peer.end_sending()
                peer.hear()
            peer.reset() if how == "reset" else peer.close()
        peer = s.connect(run.port, s.SENDER)
        peer.meet(flags=s.SEVERAL)
        s.send_files(peer, list(FILES.items()))
        run.expect(0)
        peer.close()
        assert all_arrived(run)


# --- bits

def flip(at, bit):
    def change(start, raw):
        if not start <= at < start + len(raw):
            return raw
        i = at - start
        return raw[:i] + bytes([raw[i] ^ (1 << bit)]) + raw[i + 1:]

    with zrecv("--timeout=1", "--wait=3", existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        replay(peer, WHOLE, change)
        peer.end_sending()
        peer.drain()
        peer.close()
        run.expect((0, s.AUTH, s.PROTOCOL, s.NETWORK, s.INTEGRITY, s.REFUSED, s.TIMEOUT))
        left_clean(run)
        if run.status == 0:
            assert all_arrived(run), f"bit {bit} of byte {at}: {run.describe()}"
        elif at < FIRST_END:
            tree = run.tree()
            assert tree["dst/one"] == OLD["one"], f"bit {bit} of byte {at}: {run.describe()}"


STEP = int(os.environ.get("ZX_FLIP_STEP", "7"))


@cases([("preface", range(0, s.PREFACE)),
        ("HELLO", range(s.PREFACE, HELLO_END, STEP)),
        ("entries", range(HELLO_END, COMMITTED, STEP)),
        ("BYE", range(COMMITTED, WHOLE, STEP))])
def flipped_bit(where):
    """ZX_FLIP_STEP=1 tries every byte. Which bit, changes from byte to byte."""
    run_all([(flip, at, (at * 5 + 3) % 8) for at in where])


@test
def flipped_bit_that_is_mended():
    """A sender that serves the RETRY: the session is then a good one."""
    content = FILES["one"]
    bad = bytes([content[0] ^ 1]) + content[1:]
    sent = s.Sent(1, "one", content)
    with zrecv(existing=OLD) as run:
        peer = s.connect(run.port, s.SENDER)
        peer.meet()
        peer.send(sent.announce, s.data(1, 0, bad), s.digest(1, 0, content), sent.end)
        asked = peer.expect(s.RETRY)
        assert (asked.entry, asked.offset) == (1, 0)
        peer.send(s.block(1, 0, content, s.RESENT), s.fin_of([sent]))
        s.up_to_verdict(peer, [sent])
        peer.send(s.bye())
        run.expect(0, files={**OLD, "one": content})
        peer.close()


if __name__ == "__main__":
    main(4)
