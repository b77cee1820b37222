"""A hostile sender of very many entries: what the receiver keeps of them does not grow, and every table has a limit.

ZX_ENTRIES=1000000 makes the first case larger than the suite has time for."""
import os
import shutil
import tempfile
import threading
import time

import speaker as s
from harness import PATIENCE, main, test, zrecv

SEVERAL, RECURSIVE, ARCHIVE = 32, 128, 256
PROTOCOL = s.PROTOCOL
FAILED, MORE = 4, 16
COUNT = int(os.environ.get("ZX_ENTRIES", 200_000))
IN_ONE = 1000  # entries of each directory at the top, itself included
# AddressSanitizer keeps what is freed, up to 256 MiB, and more for each allocation.
SANITIZED = bool(os.environ.get("ZX_SANITIZE"))


def memory_of(run):
    with open(f"/proc/{run.process.pid}/status", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS")))


class Receiver:
    """A zrecv into memory where there is some, and a thread that reads what it says."""

    def __init__(self, *options):
        where = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dst = tempfile.mkdtemp(prefix="zx-peer.", dir=where)
        self.run = zrecv("--durability=none", *options, dst=self.dst)
        self.peer = s.connect(self.run.port, s.SENDER)
        self.results, self.last = 0, None

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.peer.close()
        self.run.__exit__()
        shutil.rmtree(self.dst)

    def meet(self, flags):
        self.peer.meet(flags=flags, durability=1)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while self.last is None:
                frame = self.peer.read()
                if frame.kind == s.RESULTS:
                    self.results += len(s.read_results(frame.body))
                elif frame.kind in (s.VERDICT, s.ERROR):
                    self.last = frame
        except Exception as problem:  # for the main thread
            self.last = problem

    def until_told(self, patience=4 * PATIENCE):
        self.reader.join(patience)
        assert self.last is not None, "the receiver says nothing"
        return self.last

    def until_settled(self, count):
        give_up = time.monotonic() + 4 * PATIENCE
        while self.results < count and self.last is None:
            assert time.monotonic() < give_up, f"{self.results} of {count} results"
            time.sleep(0.01)


def directory(entry_id, name):
    return s.entry(entry_id, name, 0, kind=2, mode=0o755)


@test
def very_many_empty_entries():
    """Files without content, and directories without anything."""
    with Receiver() as to:
        to.meet(SEVERAL | RECURSIVE)
        early = 0
        for first in range(1, COUNT + 1, IN_ONE):
            frames = [directory(first, b"%d" % first)]
            for i in range(first + 1, first + IN_ONE):
                frames.append((s.entry(i, b"f%d" % i, 0) if i % 2 else directory(i, b"d%d" % i)) + s.end(i, 0))
            to.peer.send(*frames, s.end(first, 0))
            if first == COUNT // 10 // IN_ONE * IN_ONE + 1:
                to.until_settled(first // 2)
                early = memory_of(to.run)
        to.peer.send(s.fin(COUNT))
        verdict = to.until_told()
        assert not isinstance(verdict, Exception), f"{verdict!r} after {to.results} results"
        assert verdict.kind == s.VERDICT, verdict
        late = memory_of(to.run)
        print(f"{COUNT} empty entries: {early} KiB, then {late} KiB")
        found = s.read_verdict(verdict.body)
        assert found["entries"] == COUNT and found["status"] == 0, found
        to.peer.send(s.bye())
        to.peer.end_sending()
        to.run.finish()
        assert to.run.status == 0, to.run.describe()
        assert late - early < (512 if SANITIZED else 8) << 10, f"{early} KiB, then {late} KiB"


def is_refused(frames, words, flags=SEVERAL | RECURSIVE, most=16 << 10):
    """The session ends with the status of a protocol error and these words, and takes no more KiB than that."""
    with Receiver() as to:
        to.meet(flags)
        before = peak = memory_of(to.run)
        for piece in frames:
            if to.last is not None:
                break
            to.peer.send(piece)
            try:
                peak = memory_of(to.run)
            except (OSError, StopIteration):  # it has ended
                break
        told = to.until_told()
        assert not isinstance(told, Exception) and told.kind == s.ERROR, told
        to.peer.end_sending()
        to.run.finish()
        assert to.run.status == PROTOCOL, to.run.describe()
        assert words.encode() in to.run.stderr, to.run.describe()
        print(f"{words}: {before} KiB, then {peak} KiB")
        assert SANITIZED or peak - before < most, f"{before} KiB, then {peak} KiB"


@test
def entries_that_have_failed_and_do_not_end():
    is_refused([s.entry(i, b"f%d" % i, 0, flags=FAILED) for i in range(1, 8400)], "more entries than may be open")


@test
def failed_entries_have_one_name():
    is_refused([s.entry(1, [b"a", b"b"], 0, flags=FAILED)], "a path where a name was expected")


@test
def files_whose_other_names_never_come():
    """Each has a place until then, of 300 bytes: with -a that is what does grow, up to the limit."""
    frames = (b"".join(s.entry(i, b"f%d" % i, 0, flags=MORE) + s.end(i, 0) for i in range(first, first + 1000))
              for first in range(1, 300_000, 1000))
    is_refused(frames, "more hard links than it may", flags=SEVERAL | RECURSIVE | ARCHIVE,
               most=96 << 10)


main(workers=2)
